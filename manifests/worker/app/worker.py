import multiprocessing
import os
import signal
import sqlite3
from datetime import datetime
from zoneinfo import ZoneInfo


def square(number):
    return number, number * number, os.getpid()


def main():
    wanted = {signal.SIGTERM, signal.SIGHUP}
    signal.pthread_sigmask(signal.SIG_BLOCK, wanted)
    noon = datetime(2026, 7, 1, 12, tzinfo=ZoneInfo("America/New_York"))
    print("noon in New York is", noon.astimezone(ZoneInfo("Asia/Kolkata")).isoformat(), flush=True)
    with sqlite3.connect("/tmp/squares.db") as db:
        db.execute("create table squares (number integer primary key, square integer, worker integer)")
        with multiprocessing.Pool(2, signal.pthread_sigmask, (signal.SIG_UNBLOCK, wanted)) as pool:
            db.executemany("insert into squares values (?, ?, ?)", pool.imap_unordered(square, range(100)))
        db.commit()
        while True:
            # SIGHUP says how far it is, SIGTERM ends it.
            asked = signal.sigwait(wanted)
            count, total = db.execute("select count(*), sum(square) from squares").fetchone()
            print(asked.name, count, total, flush=True)
            if asked == signal.SIGTERM:
                return


if __name__ == "__main__":
    main()
