
// What all views share: the data, words for sizes, and which part is selected.

const data = JSON.parse(document.getElementById("data").textContent);
const parts = data.parts;

/** Bytes as people read them; src/build/page/escape.rs has the same. */
function size(bytes) {
  if (bytes < 1e3) return `${bytes} B`;
  if (bytes < 1e6) return `${(bytes / 1e3).toFixed(1)} kB`;
  if (bytes < 1e9) return `${(bytes / 1e6).toFixed(1)} MB`;
  return `${(bytes / 1e9).toFixed(2)} GB`;
}

const files = (count) => (count === 1 ? "1 file" : `${count} files`);

function share(bytes, of) {
  const percent = of > 0 ? (100 * bytes) / of : 0;
  return percent > 0 && percent < 0.1 ? "under 0.1 %" : `${percent.toFixed(1)} %`;
}

/** An element. Text is text: nothing here reads it as HTML. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const show = (id) => {
  document.getElementById(id).hidden = false;
  return document.getElementById(id);
};

// The largest parts have a colour each, the rest one together.
const COLOURS = 8;
const ranked = parts.map((_, n) => n).sort((a, b) => parts[b].bytes - parts[a].bytes || a - b);
const colours = parts.map(() => `k${COLOURS}`);
ranked.slice(0, COLOURS).forEach((part, rank) => {
  if (parts[part].bytes > 0) colours[part] = `k${rank}`;
});

const needs = parts.map(() => []);
const neededBy = parts.map(() => []);
for (const [from, to, relation, chosen] of data.edges) {
  needs[from].push({ part: to, relation, chosen: chosen === 1 });
  neededBy[to].push({ part: from, relation, chosen: chosen === 1 });
}
for (const edges of [...needs, ...neededBy]) {
  edges.sort((a, b) => parts[b.part].bytes - parts[a.part].bytes || a.part - b.part);
}

/** The parts from the manifest to one, that one last. */
function chain(part) {
  const found = [part];
  for (let at = parts[part].via; at !== null && !found.includes(at); at = parts[at].via) found.unshift(at);
  return found;
}

function link(part, ...children) {
  return make("a", { href: `#p${part}` }, ...(children.length ? children : [parts[part].name]));
}

const dot = (part) => make("span", { class: `dot ${colours[part]}`, "aria-hidden": "true" });

let selected = null;
const watchers = [];

/** Selects a part in every view. */
function select(part) {
  if (part === selected || !parts[part]) return;
  // At the start the address stays as it is.
  if (selected !== null) history.replaceState(null, "", `#p${part}`);
  selected = part;
  document.getElementById("said").textContent = `${parts[part].name} is selected`;
  watchers.forEach((watcher) => watcher(part));
}

function linked(hash) {
  const found = /^#p(\d+)$/.exec(hash);
  return found && Number(found[1]) < parts.length ? Number(found[1]) : null;
}

document.addEventListener("click", (event) => {
  const anchor = event.target.closest("a[href^='#p']");
  const part = anchor && linked(anchor.getAttribute("href"));
  if (part === null || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const inGraph = anchor.closest("#graph") !== null;
  select(part);
  if (inGraph) document.querySelector("#graph .focus").focus();
});
addEventListener("hashchange", () => {
  const part = linked(location.hash);
  if (part !== null) select(part);
});

