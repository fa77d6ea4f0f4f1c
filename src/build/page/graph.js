// The graph around what is selected: the chain that brought it in, who needs it, what it needs; and all that is known
// of it. A closure of a thousand packages is read so, one step at a time.

const graph = show("needs") && document.getElementById("graph");
const about = show("about");
const AT_ONCE = 10;

function node({ part, relation, chosen }) {
  const element = link(part, parts[part].name, make("small", {}, relation));
  element.className = `node ${colours[part]}${chosen ? " chosen" : ""}`;
  element.title = `${parts[part].name} ${parts[part].version}, ${size(parts[part].bytes)}: ${relation}`;
  return element;
}

function column(title, edges, none) {
  const list = make("ul");
  const add = (some) => list.append(...some.map((edge) => make("li", {}, node(edge))));
  add(edges.slice(0, AT_ONCE));
  const out = make("div", {}, make("h3", {}, edges.length ? `${title} (${edges.length})` : none), list);
  if (edges.length > AT_ONCE) {
    const button = make("button", { type: "button", class: "more" }, `${edges.length - AT_ONCE} more`);
    button.addEventListener("click", () => {
      add(edges.slice(AT_ONCE));
      button.remove();
      list.children[AT_ONCE].firstChild.focus();
      drawLines();
    });
    out.append(button);
  }
  return out;
}

/** From each one that needs to what is needed; dashed where another would have done. */
function drawLines() {
  const svg = graph.querySelector("svg");
  const box = graph.getBoundingClientRect();
  const focus = graph.querySelector(".focus").getBoundingClientRect();
  const lines = [];
  graph.querySelectorAll(".node:not(.focus)").forEach((element) => {
    const other = element.getBoundingClientRect();
    const isLeft = other.right <= focus.left;
    const [from, to] = isLeft ? [other, focus] : [focus, other];
    const [x, y] = [from.right - box.left, from.top + from.height / 2 - box.top];
    const [a, b] = [to.left - box.left, to.top + to.height / 2 - box.top];
    const half = (x + a) / 2;
    const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
    line.setAttribute("d", `M${x} ${y}C${half} ${y} ${half} ${b} ${a} ${b}`);
    line.setAttribute("class", element.classList.contains("chosen") ? "chosen" : "forced");
    lines.push(line);
  });
  svg.replaceChildren(...lines);
}

function drawGraph(part) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("aria-hidden", "true");
  const steps = chain(part).map((at, step, all) => {
    const edge = step > 0 && needs[all[step - 1]].find((need) => need.part === at);
    const item = make("li", edge && edge.chosen ? { class: "chosen" } : {});
    item.append(at === part ? make("b", {}, parts[at].name) : link(at));
    return item;
  });
  const facts = [parts[part].version, size(parts[part].bytes)].filter(Boolean).join(", ");
  const middle = link(part, parts[part].name, make("small", {}, facts));
  middle.className = `node focus ${colours[part]}`;
  middle.setAttribute("aria-current", "true");
  graph.replaceChildren(
    svg,
    make("ol", { class: "chain", "aria-label": "From the manifest" }, ...steps),
    make(
      "div",
      { class: "columns" },
      column("Needed by", neededBy[part], "Nothing needs it"),
      make("div", {}, middle),
      column("Needs", needs[part], "Needs nothing"),
    ),
  );
  drawLines();
}

graph.addEventListener("keydown", (event) => {
  const at = event.target.closest(".node");
  if (!at || !event.key.startsWith("Arrow")) return;
  const columns = [...graph.querySelectorAll(".columns > div")].map((each) => [...each.querySelectorAll(".node")]);
  const across = columns.findIndex((each) => each.includes(at));
  const down = columns[across].indexOf(at);
  const sideways = (step) => {
    const other = columns[across + step];
    return other && other[Math.min(down, other.length - 1)];
  };
  const found = {
    ArrowUp: () => columns[across][down - 1],
    ArrowDown: () => columns[across][down + 1],
    ArrowLeft: () => sideways(-1),
    ArrowRight: () => sideways(1),
  }[event.key]();
  event.preventDefault();
  if (found) found.focus();
});

function links(list) {
  return list.flatMap((part, at) => (at > 0 ? [", ", link(part)] : [link(part)]));
}

function tell(part) {
  const it = parts[part];
  const facts = make("dl");
  const add = (name, ...value) => facts.append(make("dt", {}, name), make("dd", {}, ...value));
  add("Kind", it.what);
  if (it.version) add("Version", it.version);
  if (it.source) add(it.what === "wheel" ? "File" : "Source", it.source);
  if (it.arch) add("Arch", it.arch);
  if (it.installed !== null) add("Installed", `${it.installed} KiB by Debian's count`);
  add("In the image", `${size(it.bytes)}, ${share(it.bytes, data.bytes)}, ${files(it.files)}`);
  const title = make("h2", { id: "about-title" }, dot(part), it.name);
  const reasons = chain(part).slice(1).map((at) => make("li", {}, parts[at].why));
  about.replaceChildren(title, facts);
  const section = (name, ...children) => about.append(make("h3", {}, name), ...children);
  if (part === 0) section("Why", "It is what the image is made from; what is in it, is its own [[files]].");
  else section("Why it is in", make("ol", {}, ...reasons));
  if (it.what === "manifest" || it.what === "made here") return;
  const leaving = it.leaves.reduce((sum, other) => sum + parts[other].bytes, it.bytes);
  const who = it.leaves.length ? ["itself and ", ...links(it.leaves)] : ["itself alone"];
  section("Without it would leave", make("p", {}, `${size(leaving)}: `, ...who));
}

watchers.push(drawGraph, tell);
new ResizeObserver(() => graph.querySelector("svg") && drawLines()).observe(graph);

