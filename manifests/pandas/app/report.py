from pathlib import Path

import pandas

sales = pandas.read_csv(Path(__file__).with_name("sales.csv"), parse_dates=["day"])
sales["revenue"] = sales["pieces"] * sales["price"]
month = sales["day"].dt.strftime("%Y-%m")
print(sales.pivot_table(index=month, columns="city", values="revenue", aggfunc="sum", fill_value=0).round(2).to_csv(), end="")
