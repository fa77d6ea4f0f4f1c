"""Exercises a page of `compose graph --html` in headless Chromium.

In: Chromium's path, the page, the number of bytes that the image has. Out: a line for each check that failed, and exit
code 1; nothing and 0 when all is well. Speaks the DevTools protocol over a pipe; nothing but the standard library.
"""

import json
import os
import select
import subprocess
import sys
import tempfile
import time

PATIENCE = 60  # seconds for one answer
FAILED = []


def check(holds, what):
    if not holds:
        FAILED.append(what)
        print(f"failed: {what}", flush=True)


class Browser:
    """Chromium with one page, and all that it said."""

    def __init__(self, program, profile):
        down, up = os.pipe(), os.pipe()

        def wire():
            # The protocol's own numbers: 3 is read by Chromium, 4 is written. Out of the way first.
            reads, writes = os.dup2(down[0], 63), os.dup2(up[1], 64)
            os.dup2(reads, 3)
            os.dup2(writes, 4)

        arguments = [
            program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
            "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={profile}", "--remote-debugging-pipe",
            "--force-device-scale-factor=1", "about:blank",
        ]
        self.process = subprocess.Popen(
            arguments, preexec_fn=wire, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(down[0])
        os.close(up[1])
        self.to, self.back = down[1], up[0]
        self.buffer, self.number, self.events, self.session = b"", 0, [], None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log", "DOM", "Accessibility"):
            self.call(f"{domain}.enable")
        self.call("Page.setLifecycleEventsEnabled", enabled=True)

    def message(self):
        """The next message, or an end of patience."""
        until = time.monotonic() + PATIENCE
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.back], [], [], max(0, until - time.monotonic()))
            part = os.read(self.back, 1 << 16) if ready else b""
            if not part:
                raise SystemExit("Chromium does not answer")
            self.buffer += part
        text, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(text)

    def call(self, method, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.to, data):]
        while True:
            answer = self.message()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise SystemExit(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def open(self, url):
        # By way of an empty page: to another place of the same page nothing is loaded.
        for url in ("about:blank", url):
            loader = self.call("Page.navigate", url=url)["loaderId"]
            while not any(self.is_loaded(event, loader) for event in self.events):
                self.events.append(self.message())

    def is_loaded(self, event, loader):
        params = event.get("params", {})
        return event.get("method") == "Page.lifecycleEvent" and (params["name"], params["loaderId"]) == ("load", loader)

    def js(self, text):
        """The value of an expression in the page, once two frames were drawn."""
        frames = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
        result = self.call(
            "Runtime.evaluate", expression=f"{frames}.then(() => ({text}))", awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in result:
            raise SystemExit(f"{text}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def key(self, key, code=None, text=None):
        codes = {"Enter": 13, "Escape": 27, "Backspace": 8, "Tab": 9, " ": 32, "Home": 36, "End": 35,
                 "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}
        event = {"key": key, "code": code or key, "windowsVirtualKeyCode": codes.get(key, 0)}
        text = text or {"Enter": "\r", " ": " "}.get(key)
        self.call("Input.dispatchKeyEvent", type="keyDown", **event, **({"text": text} if text else {}))
        self.call("Input.dispatchKeyEvent", type="keyUp", **event)

    def click(self, selector):
        find = f"document.querySelector({json.dumps(selector)})"
        self.js(f"{find}.scrollIntoView({{block: 'center'}})")
        x, y = self.js(f"(b => [b.x + Math.min(b.width / 2, 20), b.y + Math.min(b.height / 2, 8)])"
                       f"({find}.getBoundingClientRect())")
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def media(self, **features):
        named = [{"name": "prefers-" + name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.call("Emulation.setEmulatedMedia", features=named)

    def size(self, width, height):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def close(self):
        self.process.kill()
        self.process.wait()


# Every tile of the treemap that can be moved to, with its place and its bytes.
TILES = """[...document.querySelectorAll('#map > .tile')].map(t => {
  const [b, m] = [t.getBoundingClientRect(), document.getElementById('map').getBoundingClientRect()];
  return {x: b.x - m.x, y: b.y - m.y, w: b.width, h: b.height, bytes: t.node.bytes, name: t.node.name,
          kids: t.node.kids.reduce((sum, kid) => sum + kid.bytes, 0), opens: t.node.kids.length > 0,
          label: t.getAttribute('aria-label'), tab: t.tabIndex}; })"""
MAP = "(b => [b.width, b.height])(document.getElementById('map').getBoundingClientRect())"
ACTIVE = "document.activeElement.node ? document.activeElement.node.name : null"
CRUMBS = "[...document.querySelectorAll('#crumbs button, #crumbs [aria-current]')].map(e => e.textContent)"
# Text and what it stands on, where these are too alike (WCAG 2.2, 1.4.3); colours as the browser computes them.
CONTRAST = """(() => {
  const canvas = new OffscreenCanvas(1, 1).getContext('2d', {willReadFrequently: true});
  const rgba = colour => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    const d = canvas.getImageData(0, 0, 1, 1).data; return [d[0], d[1], d[2], d[3] / 255]; };
  const light = c => { const [r, g, b] = c.map(v => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const seen = new Map();
  for (const element of document.querySelectorAll('body, body *')) {
    const own = [...element.childNodes].some(n => n.nodeType === 3 && n.data.trim());
    const style = getComputedStyle(element);
    if (!own || ['SCRIPT', 'NOSCRIPT', 'STYLE'].includes(element.tagName) || !element.checkVisibility({opacityProperty: false})) continue;
    let at = element;
    while (at && rgba(getComputedStyle(at).backgroundColor)[3] < 1) at = at.parentElement;
    const ground = at ? getComputedStyle(at).backgroundColor : 'white';
    const [a, b] = [light(rgba(style.color).slice(0, 3)), light(rgba(ground).slice(0, 3))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) seen.set(`${element.tagName}.${element.className} ${style.color} on ${ground}`, ratio);
  }
  return [...seen];
})()"""
FOCUS_SHOWS = """(() => { const e = document.activeElement, own = getComputedStyle(e), after = getComputedStyle(e, '::after');
  const next = e.nextElementSibling && getComputedStyle(e.nextElementSibling);
  const outlined = s => s && s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2;
  return outlined(own) || outlined(after) || (e.type === 'radio' && outlined(next)); })()"""


def treemap(page, total, what):
    """The tiles of one place give all of the area, each its share, and none lies on another."""
    (w, h), tiles = page.js(MAP), page.js(TILES)
    check(tiles and w > 200 and h > 200, f"{what}: there are tiles")
    check(sum(t["bytes"] for t in tiles) == total, f"{what}: the tiles' bytes are {total}")
    check(abs(sum(t["w"] * t["h"] for t in tiles) / (w * h) - 1) < 0.005, f"{what}: the tiles cover the area")
    for t in tiles:
        check(abs(t["w"] * t["h"] / (w * h) - t["bytes"] / total) < 0.005, f"{what}: {t['name']} has its share")
        check(t["label"] and t["name"].split("/")[-1] in t["label"], f"{what}: {t['name']} says what it is")
        check(not t["opens"] or t["kids"] == t["bytes"], f"{what}: what is in {t['name']} is all of it")
        inside = min(t["x"], t["y"]) > -0.5 and t["x"] + t["w"] < w + 0.5 and t["y"] + t["h"] < h + 0.5
        check(inside, f"{what}: {t['name']} is inside")
    for at, a in enumerate(tiles):
        for b in tiles[at + 1:]:
            across = min(a["x"] + a["w"], b["x"] + b["w"]) - max(a["x"], b["x"])
            down = min(a["y"] + a["h"], b["y"] + b["h"]) - max(a["y"], b["y"])
            check(min(across, down) < 0.1, f"{what}: {a['name']} and {b['name']} do not overlap")
    check([t["tab"] for t in tiles].count(0) == 1, f"{what}: one tile is in the order of Tab")
    return tiles


def keyboard(page, tiles):
    page.js("document.querySelector('#map > [tabindex=\"0\"]').focus()")
    first = page.js(ACTIVE)
    check(first == tiles[0]["name"], "the largest tile has the focus first")
    if len(tiles) > 1:
        seen = {first}
        for key in ("ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp") * 2:
            page.key(key)
            seen.add(page.js(ACTIVE))
            check(page.js(FOCUS_SHOWS), f"the focus shows after {key}")
        check(len(seen) > 1 and None not in seen, f"arrow keys move: {seen}")
        page.key("End")
        check(page.js(ACTIVE) == tiles[-1]["name"], "End goes to the last")
    page.key("Home")
    before = page.js(CRUMBS)
    for back in ("Escape", "Backspace"):
        page.key("Enter")
        inside = page.js(CRUMBS)
        check(len(inside) == len(before) + 1, f"Enter goes in: {inside}")
        treemap(page, tiles[0]["bytes"], f"in {tiles[0]['name']}")
        check(page.js(ACTIVE) is not None, "a tile has the focus inside")
        page.key(back)
        check(page.js(CRUMBS) == before and page.js(ACTIVE) == first, f"{back} goes out, to where it came from")
    opening = next((t["name"] for t in tiles[1:] if t["opens"]), None)
    if opening:
        page.js(f"[...document.querySelectorAll('#map > .tile')].find(t => t.node.name === {json.dumps(opening)}).focus()")
        page.key("Enter")
        page.key("Escape")
        check(page.js(ACTIVE) == opening, f"Escape goes back to {opening}")
        page.key("Home")
    page.key(" ")
    page.click("#crumbs button")
    check(page.js(CRUMBS) == before, "the breadcrumb goes out")


def views(page):
    """What is selected in one view is selected in all."""
    rows = page.js("[...document.querySelectorAll('#parts tbody tr')].map(r => [r.id, r.cells[0].textContent])")
    shown = "[document.querySelector('#about h2').textContent, document.querySelector('#graph .focus').firstChild.data," \
            "document.querySelector('#parts tr.on').id]"
    for row, name in rows[:3] + rows[-2:]:
        page.click(f"#{row} th a")
        check(page.js(shown) == [name, name, row], f"{name} is selected everywhere")
        owners = page.js("[...document.querySelectorAll('.tile.on')].map(t => t.node.part)")
        check(all(f"p{part}" == row for part in owners), f"the treemap marks {name} alone")
    # One that has both sides, and if there is one, a choice.
    edges = page.js("JSON.parse(document.getElementById('data').textContent).edges")
    needing = [to for _, to, _, _ in edges]
    best = max((edge for edge in edges if edge[0] in needing), key=lambda edge: edge[3])
    page.click(f"#p{best[0]} th a")
    check(page.js("document.querySelectorAll('#graph path.chosen').length > 0") == any(
        edge[3] for edge in edges if best[0] in edge[:2]), "a choice is drawn so")
    page.js("document.querySelector('#graph .focus').focus()")
    lines, nodes = (page.js(f"document.querySelectorAll('#graph {what}').length") for what in ("path", ".node:not(.focus)"))
    check(lines == nodes, "each neighbour has its line")
    check(page.js("document.querySelectorAll('#graph path.chosen').length") ==
          page.js("document.querySelectorAll('#graph .node.chosen').length"), "what was chosen is dashed")
    before = page.js(shown)[1]
    page.key("ArrowLeft")
    needing = page.js("document.activeElement.firstChild.data")
    page.key("Enter")
    check(needing != before and page.js(shown)[:2] == [needing, needing], "Enter walks the graph")
    check(page.js("document.activeElement.classList.contains('focus')"), "and the focus stays in it")
    tile = page.js("document.querySelector('#map > .tile').node.part")
    page.js("document.querySelector('#map > .tile').focus()")
    page.key("Enter")
    check(page.js(shown)[2] == f"p{tile}", "a tile selects its package")
    page.key("Escape")


def table(page):
    column = "[...document.querySelectorAll('#parts tbody tr')].filter(r => !r.hidden).map(r => r.cells[{0}].dataset.n" \
             " === undefined ? r.cells[{0}].textContent : Number(r.cells[{0}].dataset.n))"
    sort = "document.querySelectorAll('#parts thead th')[{0}].getAttribute('aria-sort')"
    for number in (0, 2, 6):
        for _ in range(2):
            page.click(f"#parts th:nth-child({number + 1}) button")
            values, how = page.js(column.format(number)), page.js(sort.format(number))
            check(values == sorted(values, reverse=how == "descending"), f"column {number} is sorted, {how}")
    check(page.js("document.querySelectorAll('[aria-sort]').length") == 1, "one column is the sorted one")
    names = page.js(column.format(0))
    page.js("document.getElementById('filter-text').focus()")
    check(page.js(FOCUS_SHOWS), "the focus of the filter shows")
    page.call("Input.insertText", text=names[-1].upper())
    left = page.js(column.format(0))
    check(names[-1] in left and len(left) < len(names), f"the filter leaves {left}")
    check(str(len(left)) in page.js("document.getElementById('filter-count').textContent"), "and counts them")
    page.key("Escape")
    check(page.js(column.format(0)) == names, "Escape takes the filter away")


def reachable(page):
    """Tab goes through the page, shows where it is, and each stop has a name."""
    page.js("(document.activeElement.blur(), scrollTo(0, 0))")
    stops = []
    for _ in range(25):
        page.key("Tab")
        stops.append(page.js("document.activeElement.outerHTML.slice(0, 80)"))
        check(page.js(FOCUS_SHOWS), f"the focus shows on {stops[-1]}")
    check(len(set(stops)) > 10, "Tab moves on")
    for node in page.call("Accessibility.getFullAXTree")["nodes"]:
        properties = {p["name"]: p["value"].get("value") for p in node.get("properties", [])}
        role = node.get("role", {}).get("value")
        if properties.get("focusable") and not node.get("ignored") and role != "RootWebArea":
            check(node.get("name", {}).get("value"), f"{role} has a name")


def main(program, path, total):
    url = "file://" + os.path.abspath(path)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        page = Browser(program, profile)
        try:
            page.size(1400, 1000)
            page.media(color_scheme="light", reduced_motion="reduce")
            page.open(url)
            tiles = treemap(page, total, "by package")
            keyboard(page, tiles)
            check(page.js("document.getAnimations().length") == 0, "nothing moves where that is not wanted")
            page.js("document.querySelector('[name=by]').focus()")
            page.key("ArrowRight")
            keyboard(page, treemap(page, total, "by directory"))
            page.click("[value=part] + span")
            views(page)
            table(page)
            reachable(page)
            for scheme in ("light", "dark"):
                page.media(color_scheme=scheme, reduced_motion="reduce")
                for value in ("part", "dir"):
                    page.click(f"[value={value}] + span")
                    check(page.js(CONTRAST) == [], f"contrast, {scheme}, {value}: {page.js(CONTRAST)}")
            page.size(390, 800)
            check(page.js("document.documentElement.scrollWidth <= innerWidth"), "a narrow window scrolls down only")
            treemap(page, total, "narrow")
            check(page.js("document.scripts.length") == 2, "two scripts, data and code")
            check(page.js("document.querySelectorAll('img, iframe, object, embed, link, [onerror], [onclick]').length") == 0,
                  "nothing that a page of this kind does not have")
            check(page.js("typeof hostile") == "undefined", "nothing from a package ran")
            # Without scripts.
            page.call("Emulation.setScriptExecutionDisabled", value=True)
            page.open(url)
            root = page.call("DOM.getDocument")["root"]["nodeId"]
            find = lambda what: page.call("DOM.querySelectorAll", nodeId=root, selector=what)["nodeIds"]
            check(len(find("#parts tbody tr")) > 1, "the list is there without scripts")
            check(len(find("#map .tile, #filter:not([hidden]), #space:not([hidden])")) == 0, "what needs scripts is not")
            for event in page.events:
                method, params = event.get("method"), event.get("params", {})
                if method in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"):
                    check(False, f"{method}: {json.dumps(params)[:600]}")
                if method == "Network.requestWillBeSent":
                    asked = params["request"]["url"].split("#")[0]
                    check(asked in (url, "about:blank"), f"a request for {asked}")
        finally:
            page.close()
    return 1 if FAILED else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
