// The list, which is there without this: sorted by any column, filtered by words, each row selected by its name.

const table = document.getElementById("parts");
const rows = [...table.tBodies[0].rows];
table.classList.add("live");
const filter = document.getElementById("filter-text");

function sortBy(column, isDown) {
  const value = (row) => {
    const cell = row.cells[column];
    return cell.dataset.n === undefined ? cell.textContent : Number(cell.dataset.n);
  };
  const compare = (a, b) => {
    const [x, y] = [value(a), value(b)];
    // What has no number comes last either way.
    if (typeof x !== typeof y) return (typeof x === "string" ? 1 : -1) * (isDown ? -1 : 1);
    return typeof x === "string" ? (x < y ? -1 : x > y ? 1 : 0) : x - y;
  };
  rows.sort((a, b) => (isDown ? compare(b, a) : compare(a, b)));
  table.tBodies[0].append(...rows);
}

const heads = [...table.tHead.rows[0].cells];
heads.forEach((head, column) => {
  const button = make("button", { type: "button" }, head.textContent);
  head.replaceChildren(button);
  button.addEventListener("click", () => {
    const isNumber = head.classList.contains("n");
    const before = head.getAttribute("aria-sort");
    const isDown = before === null ? isNumber : before === "ascending";
    for (const other of heads) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", isDown ? "descending" : "ascending");
    sortBy(column, isDown);
  });
});

const texts = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));

function narrow() {
  const wanted = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const row of rows) {
    row.hidden = !wanted.every((word) => texts.get(row).includes(word));
    if (!row.hidden) count += 1;
  }
  document.getElementById("filter-count").textContent = wanted.length ? `${count} of ${rows.length}` : "";
}

show("filter");
filter.addEventListener("input", narrow);
filter.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  filter.value = "";
  narrow();
});

rows.forEach((row) => row.cells[0].prepend(dot(Number(row.id.slice(1)))));
watchers.push((part) => {
  for (const row of rows) {
    const isIt = row.id === `p${part}`;
    row.classList.toggle("on", isIt);
    if (!isIt) {
      row.removeAttribute("aria-current");
      continue;
    }
    row.setAttribute("aria-current", "true");
    const box = table.closest(".scroll");
    const [top, height] = [row.offsetTop - table.tHead.offsetHeight, row.offsetHeight];
    if (top < box.scrollTop || top + 2 * height > box.scrollTop + box.clientHeight) box.scrollTop = top - height;
  }
});

// The largest first, and what the address names selected.
heads[6].firstChild.click();
const named = linked(location.hash);
select(named ?? 0);
if (named === null) table.closest(".scroll").scrollTop = 0;
