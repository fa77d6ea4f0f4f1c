// The treemap: rectangles as square as they can be (Bruls, Huizing and van Wijk, "Squarified Treemaps", 2000), nested
// as deep as there is room, of the bytes below the place that is looked at.

const map = show("space") && document.getElementById("map");
const HEADER = 19; // pixels above what is in a tile
const SMALL = 40; // square pixels: what has less is shown together
const DEPTH = 7;

const branch = (name, up) => ({ name, up, bytes: 0, files: 0, part: null, kids: [], dirs: new Map() });

/** A node's directory at `dir`, made with all above it. */
function folder(root, dir, known) {
  if (dir === 0) return root;
  if (!known.has(dir)) {
    const [above, name] = data.dirs[dir];
    const up = folder(root, above, known);
    const node = branch(name, up);
    up.kids.push(node);
    known.set(dir, node);
  }
  return known.get(dir);
}

function addFile(up, [, part, name, bytes, count]) {
  const leaf = branch(name || `${count} smaller files`, up);
  Object.assign(leaf, { bytes, files: count, part, isFile: true });
  up.kids.push(leaf);
}

/** Whose all of these are. */
const owner = (kids) => (kids.every((kid) => kid.part === kids[0].part) ? kids[0].part : null);

/** Sums, owners and order; a directory with nothing but one directory is shown with that as one. */
function settle(node, isTop) {
  for (const kid of node.kids) settle(kid, false);
  if (node.kids.length === 0) return node;
  const [only] = node.kids;
  if (!isTop && node.kids.length === 1 && !only.isFile && !node.isPart) {
    Object.assign(node, { name: `${node.name}/${only.name}`, kids: only.kids });
    for (const kid of node.kids) kid.up = node;
  }
  node.bytes = node.kids.reduce((sum, kid) => sum + kid.bytes, 0);
  node.files = node.kids.reduce((sum, kid) => sum + kid.files, 0);
  if (!node.isPart) {
    node.part = owner(node.kids);
  }
  node.kids.sort((a, b) => b.bytes - a.bytes || (a.name < b.name ? -1 : 1));
  return node;
}

function byDirectory() {
  const root = branch("/", null);
  const known = new Map();
  for (const file of data.files) addFile(folder(root, file[0], known), file);
  return settle(root, true);
}

function byPart() {
  const root = branch("everything", null);
  const nodes = new Map();
  for (const file of data.files) {
    const part = file[1];
    if (!nodes.has(part)) {
      const node = Object.assign(branch(parts[part].name, root), { part, isPart: true, known: new Map() });
      root.kids.push(node);
      nodes.set(part, node);
    }
    const node = nodes.get(part);
    addFile(folder(node, file[0], node.known), file);
  }
  return settle(root, true);
}

/** Places `items`, the largest first, in a box; each gets its share of the area, and all of the area is given. */
function squarify(items, box) {
  const placed = [];
  let { x, y, w, h } = box;
  let left = items.reduce((sum, item) => sum + item.bytes, 0);
  let at = 0;
  while (at < items.length && left > 0) {
    const side = Math.min(w, h);
    const scale = (w * h) / left;
    // The worst proportion in a row of this sum of areas, from its largest to its least.
    const worst = (sum, most, least) =>
      Math.max((side * side * most) / (sum * sum), (sum * sum) / (side * side * least));
    let end = at + 1;
    let sum = items[at].bytes * scale;
    const most = sum;
    while (end < items.length) {
      const area = items[end].bytes * scale;
      const before = worst(sum, most, items[end - 1].bytes * scale);
      if (worst(sum + area, most, area) > before) break;
      sum += area;
      end += 1;
    }
    const thick = side > 0 ? sum / side : 0;
    let along = 0;
    for (const item of items.slice(at, end)) {
      const long = thick > 0 ? (item.bytes * scale) / thick : 0;
      const tile = w >= h ? { x, y: y + along, w: thick, h: long } : { x: x + along, y, w: long, h: thick };
      placed.push({ node: item, ...tile });
      along += long;
      left -= item.bytes;
    }
    if (w >= h) [x, w] = [x + thick, Math.max(0, w - thick)];
    else [y, h] = [y + thick, Math.max(0, h - thick)];
    at = end;
  }
  return placed;
}

/** What is shown of a node: its content, the least together. */
function content(node, area) {
  const kids = node.kids.filter((kid) => kid.bytes > 0);
  const first = kids.findIndex((kid) => (kid.bytes / node.bytes) * area < SMALL);
  if (first < 1 || kids.length - first < 2) return kids;
  const rest = kids.slice(first);
  const group = Object.assign(branch(`${rest.length} smaller`, node), {
    bytes: rest.reduce((sum, kid) => sum + kid.bytes, 0),
    files: rest.reduce((sum, kid) => sum + kid.files, 0),
    kids: rest,
    part: owner(rest),
  });
  const shown = [...kids.slice(0, first), group];
  return shown.sort((a, b) => b.bytes - a.bytes);
}

const trees = { part: byPart(), dir: byDirectory() };
let by = "part";
let here = trees.part;
let tops = [];

const isSmaller = (node) => node.up !== null && !node.up.kids.includes(node);

function path(node) {
  const names = [];
  for (let at = node; at.up; at = at.up) if (!at.isPart && !isSmaller(at)) names.unshift(at.name);
  return `/${names.join("/")}`;
}

function words(node) {
  const whose = node.part === null || node.isPart ? "" : `, of ${parts[node.part].name}`;
  const name = node.isFile || (!node.isPart && !isSmaller(node)) ? path(node) : node.name;
  return `${name}: ${size(node.bytes)}, ${share(node.bytes, data.bytes)} of the image, ${files(node.files)}${whose}`;
}

function tile({ node, x, y, w, h }, depth) {
  const opens = node.kids.length > 0;
  const colour = node.part === null ? "k9" : colours[node.part];
  const element = make("div", { class: `tile ${colour}`, title: words(node) });
  element.node = node;
  Object.assign(element.style, { left: `${x}px`, top: `${y}px`, width: `${w}px`, height: `${h}px` });
  element.classList.toggle("opens", opens);
  if (w > 34 && h > 16) {
    const label = make("span", { class: "label" }, make("span", { class: "name" }, node.name));
    if (w > 90 || h > 32) label.append(" ", make("span", { class: "size" }, size(node.bytes)));
    element.append(label);
  }
  const inner = { x: 2, y: HEADER, w: w - 4, h: h - HEADER - 2 };
  const isDeep = opens && depth < DEPTH && inner.w > 40 && inner.h > 24;
  element.classList.toggle("frame", isDeep);
  element.classList.toggle("tall", !isDeep && h > 32);
  if (isDeep) {
    const placed = squarify(content(node, inner.w * inner.h), inner);
    for (const kid of placed) element.append(tile(kid, depth + 1));
  }
  if (depth > 1) {
    element.setAttribute("aria-hidden", "true");
  } else {
    element.classList.add("top");
    element.setAttribute("role", "treeitem");
    element.setAttribute("aria-level", "1");
    element.setAttribute("aria-label", words(node));
    if (opens) element.setAttribute("aria-expanded", "false");
    element.tabIndex = -1;
  }
  return element;
}

function draw(focus) {
  const box = { x: 0, y: 0, w: map.clientWidth, h: map.clientHeight };
  const placed = squarify(content(here, box.w * box.h), box);
  tops = placed.map((place) => tile(place, 1));
  tops.forEach((element, at) => {
    element.setAttribute("aria-setsize", tops.length);
    element.setAttribute("aria-posinset", at + 1);
  });
  map.replaceChildren(...tops);
  map.setAttribute("aria-label", `Treemap of ${here.up ? words(here) : `the image, ${size(here.bytes)}`}`);
  const first = tops.find((element) => element.node === focus) ?? tops[0];
  if (first) first.tabIndex = 0;
  if (first && focus !== undefined) first.focus();
  crumbs();
  mark();
}

function crumbs() {
  const nodes = [];
  for (let at = here; at; at = at.up) nodes.unshift(at);
  const items = nodes.flatMap((node, at) => {
    const name = node.up ? node.name : by === "part" ? "all packages" : "/";
    if (node === here) {
      return [make("span", { "aria-current": "location" }, `${name} · ${size(node.bytes)}`)];
    }
    const button = make("button", { type: "button" }, name);
    button.addEventListener("click", () => go(node, nodes[at + 1]));
    return [button, make("span", { "aria-hidden": "true" }, "›")];
  });
  document.getElementById("crumbs").replaceChildren(...items);
}

/** Looks at another place, and moves to one of its tiles. */
function go(node, focus = null) {
  here = node;
  map.classList.remove("deeper");
  void map.offsetWidth; // so that the animation starts again
  map.classList.add("deeper");
  draw(focus);
}

function enter(node) {
  if (node.part !== null) select(node.part);
  if (node.kids.length > 0) go(node);
}

function leave() {
  if (here.up) go(here.up, here);
}

/** The nearest tile on one side. */
function neighbour(from, dx, dy) {
  const middle = (element) => {
    const box = element.getBoundingClientRect();
    return [box.x + box.width / 2, box.y + box.height / 2];
  };
  const [x, y] = middle(from);
  let found = null;
  let least = Infinity;
  for (const element of tops) {
    const [a, b] = middle(element);
    const ahead = (a - x) * dx + (b - y) * dy;
    const aside = Math.abs((a - x) * dy) + Math.abs((b - y) * dx);
    if (element !== from && ahead > 0.5 && ahead + 2 * aside < least) [found, least] = [element, ahead + 2 * aside];
  }
  return found;
}

function moveTo(element) {
  if (!element) return;
  for (const other of tops) other.tabIndex = -1;
  element.tabIndex = 0;
  element.focus();
}

map.addEventListener("keydown", (event) => {
  const at = event.target.closest(".top");
  if (!at || event.ctrlKey || event.metaKey || event.altKey) return;
  const keys = {
    ArrowLeft: () => moveTo(neighbour(at, -1, 0)),
    ArrowRight: () => moveTo(neighbour(at, 1, 0)),
    ArrowUp: () => moveTo(neighbour(at, 0, -1)),
    ArrowDown: () => moveTo(neighbour(at, 0, 1)),
    Home: () => moveTo(tops[0]),
    End: () => moveTo(tops[tops.length - 1]),
    Enter: () => enter(at.node),
    " ": () => enter(at.node),
    Escape: leave,
    Backspace: leave,
  };
  if (!Object.hasOwn(keys, event.key)) return;
  event.preventDefault();
  keys[event.key]();
});

map.addEventListener("click", (event) => {
  const inner = event.target.closest(".tile");
  if (!inner) return;
  if (inner.node.part !== null) select(inner.node.part);
  const top = inner.closest(".top");
  if (top.node.kids.length > 0) go(top.node);
  else moveTo(top);
});

for (const radio of document.querySelectorAll("[name='by']")) {
  radio.addEventListener("change", () => {
    by = radio.value;
    here = trees[by];
    draw();
  });
}

function mark() {
  for (const element of map.querySelectorAll(".tile")) {
    const isIt = selected !== null && selected !== 0 && element.node.part === selected;
    const isWithin = element.parentElement.closest(".tile.on") !== null;
    element.classList.toggle("on", isIt && !isWithin);
    if (element.classList.contains("top")) element.setAttribute("aria-selected", String(isIt));
  }
}

const largest = ranked.slice(0, COLOURS).filter((part) => parts[part].bytes > 0);
document.getElementById("key").append(...largest.map((part) => make("span", {}, dot(part), link(part))));
watchers.push(mark);
new ResizeObserver(() => {
  const focus = map.contains(document.activeElement) ? document.activeElement.node : undefined;
  draw(focus);
}).observe(map);

