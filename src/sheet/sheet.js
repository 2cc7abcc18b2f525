"use strict";
// Adds to the page what needs a script: the filter, the pane of details, and keys. All that it shows, it takes from the page, as nodes and never as
// HTML. Where a browser does not know what it needs, the page stays as it was.
(() => {
  const byId = (id) => document.getElementById(id);
  const grid = byId("grid"), scroll = byId("grid-scroll"), filter = byId("filter"), pane = byId("pane"), found = byId("found");
  if (!pane.show) return;
  const groups = [...grid.tBodies], lines = groups.flatMap((group) => [...group.rows]), heads = [...grid.tHead.rows[0].cells];
  const names = heads.slice(1).map((head) => head.title.toLowerCase());
  // A letter for each cell of a line, so that filtering reads a text and not thousands of cells.
  const letters = lines.map((line) => [...line.cells].slice(1).map((cell) => cell.className).join(""));
  const texts = lines.map((line) => (line.id + " " + line.cells[0].textContent).toLowerCase());
  const boxes = [...filter.elements.state];
  let shown = heads.map(() => true), height = lines[0].offsetHeight;

  const make = (tag, ...content) => {
    const node = document.createElement(tag);
    node.append(...content);
    return node;
  };

  // What is filtered. It stands in the address behind the number sign, so that a link shows it again.

  const rules = document.styleSheets[0];
  const first = rules.cssRules.length;
  const style = (text) => rules.insertRule(text, rules.cssRules.length);
  const words = (text) => text.toLowerCase().split(/\s+/).filter(Boolean);
  const count = (some, all, what) => (some === all ? all : some + " of " + all) + " " + what + (all === 1 ? "" : "s");

  function apply() {
    const inCommits = words(byId("q").value), inNames = words(byId("names").value);
    const states = boxes.filter((box) => box.checked).map((box) => box.dataset.letters).join("");
    shown = [true, ...names.map((name) => inNames.length === 0 || inNames.some((word) => name.includes(word)))];
    while (rules.cssRules.length > first) rules.deleteRule(first);
    const hidden = shown.flatMap((is, at) => (is ? [] : [":nth-child(" + (at + 1) + ")"]));
    if (hidden.length) style("#grid :is(thead, tbody) :is(th, td):is(" + hidden + ") { display: none }");
    if (states) style("#grid td:not(" + [...states].map((letter) => "." + letter) + ") > a { background: none; color: var(--muted) }");
    let left = 0;
    lines.forEach((line, at) => {
      const has = (wanted) => [...letters[at]].some((letter, column) => shown[column + 1] && wanted.includes(letter));
      const is = inCommits.every((word) => texts[at].includes(word)) && (!states || has(states));
      line.hidden = !is;
      if (is) left += 1;
    });
    groups.forEach(estimate);
    found.textContent = "Shown: " + count(left, lines.length, "commit") + " by " + count(shown.filter(Boolean).length - 1, names.length, "artifact") + ".";
    if (!isVisible(stop)) move(lines.find((line) => !line.hidden)?.cells[0].querySelector("a") ?? stop, false);
  }

  // Hides a group of which nothing is left. Of another, which the browser lays out only where it is seen, it says how high it is.
  function estimate(group) {
    const left = [...group.rows].filter((line) => !line.hidden).length;
    group.hidden = left === 0;
    group.style.containIntrinsicBlockSize = left * height + "px";
  }

  function remember(open) {
    const said = new URLSearchParams();
    if (byId("q").value) said.set("commits", byId("q").value);
    if (byId("names").value) said.set("artifacts", byId("names").value);
    boxes.filter((box) => box.checked).forEach((box) => said.append("state", box.value));
    if (open) said.set("open", open);
    history.replaceState(null, "", "#" + said);
  }

  function recall() {
    const said = location.hash.slice(1);
    const row = said && !said.includes("=") && byId(said);
    if (row && row.closest("details")) row.closest("details").open = true;
    if (row) return jump(row);
    const values = new URLSearchParams(said);
    byId("q").value = values.get("commits") ?? "";
    byId("names").value = values.get("artifacts") ?? "";
    boxes.forEach((box) => { box.checked = values.getAll("state").includes(box.value); });
    apply();
    const [commit, name] = (values.get("open") ?? "").split("/");
    const line = commit && lines.find((line) => line.id === commit);
    const cell = line && line.cells[name ? heads.findIndex((head) => head.title === name) : 0];
    if (cell) open(cell.querySelector("a"));
  }

  // Where the keys are: one cell is a stop of the Tab key, and the arrow keys move it.

  let stop = lines[0].cells[0].querySelector("a");
  const isVisible = (link) => !link.closest("tr").hidden && shown[link.parentNode.cellIndex];

  function move(link, focus = true) {
    stop.tabIndex = -1;
    stop = link;
    stop.tabIndex = 0;
    if (focus) stop.focus();
  }

  function beside(link, down, right) {
    const cell = link.parentNode, rows = lines.filter((line) => !line.hidden), columns = [...shown.keys()].filter((at) => shown[at]);
    const next = (all, one, by) => all[Math.min(Math.max(all.indexOf(one) + by, 0), all.length - 1)];
    return next(rows, cell.parentNode, down).cells[next(columns, cell.cellIndex, right)].querySelector("a");
  }

  const far = lines.length + heads.length;
  const moves = {
    ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1],
    PageDown: [10, 0], PageUp: [-10, 0], End: [0, far], Home: [0, -far],
  };

  grid.addEventListener("keydown", (event) => {
    const link = event.target.closest("tbody a");
    if (!link || event.altKey || event.metaKey || !moves[event.key]) return;
    const [down, right] = moves[event.key];
    const ends = event.ctrlKey && right && Math.abs(right) === far;
    if (event.ctrlKey && !ends) return;
    event.preventDefault();
    move(beside(link, ends ? right : down, right));
  });

  function mark(event) {
    const cell = event.target.closest("tbody td, tbody th");
    heads.forEach((head) => head.classList.remove("on"));
    if (cell) heads[cell.cellIndex].classList.add("on");
  }
  grid.addEventListener("mouseover", mark);
  grid.addEventListener("focusin", (event) => {
    mark(event);
    if (event.target.matches("tbody a")) move(event.target, false);
  });

  // The pane says what is known of a cell or of a commit.

  let opener = null;

  function close(back = true) {
    if (!pane.open) return;
    pane.close();
    opener.classList.remove("open");
    remember();
    if (back) move(opener);
  }

  function jump(line) {
    if (!lines.includes(line)) return;
    close(false);
    if (line.hidden) {
      filter.reset();
      apply();
    }
    lines.forEach((other) => other.classList.toggle("on", other === line));
    line.scrollIntoView({ block: "center" });
    move(line.cells[0].querySelector("a"));
  }

  function copy(text) {
    const button = make("button", "Copy");
    button.type = "button";
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(text);
        button.textContent = "Copied";
      } catch {
        // Then it is selected, and the keys copy it.
        getSelection().selectAllChildren(button.previousElementSibling);
        button.textContent = "Selected";
      }
    });
    return button;
  }

  function item(list, term, ...content) {
    list.append(make("div", make("dt", term), make("dd", ...content)));
  }

  function id(text) {
    const code = make("code", text);
    code.className = "id";
    return [code, copy(text)];
  }

  // Returns a commit with its whole id, and with what its row says, where it has one.
  function commit(whole) {
    const line = lines.find((other) => other.id === whole);
    if (!line) return [...id(whole), make("span", "older than this page shows")];
    const link = make("a", line.querySelector(".subject")?.textContent ?? "its row");
    link.href = "#" + whole;
    return [link, ...id(whole)];
  }

  function meaning(letter) {
    const entry = byId("s-" + letter);
    return [entry.querySelector(".chip").cloneNode(true), make("span", entry.querySelector("dd").textContent)];
  }

  // Adds what a row of the tables of builds and attempts says beyond what is told already, under the heads of that table.
  function tell(list, row, told) {
    const terms = [...row.closest("table").tHead.rows[0].cells].map((head) => head.textContent);
    [...row.cells].slice(1).forEach((cell, at) => {
      const code = cell.querySelector("code");
      if (told.includes(code ? code.title : cell.textContent) && cell.textContent) return;
      if (!cell.textContent) item(list, terms[at + 1], "not recorded");
      else if (code && code.title) item(list, terms[at + 1], ...commit(code.title));
      else if (code) item(list, terms[at + 1], ...id(code.textContent));
      else item(list, terms[at + 1], ...[...cell.childNodes].map((node) => node.cloneNode(true)), cell.firstChild.title?.endsWith(" bytes") ? "(" + cell.firstChild.title + ")" : "");
    });
  }

  function tellCell(link, list) {
    const cell = link.parentNode;
    item(list, "State", ...meaning(cell.className));
    item(list, "Commit", ...commit(cell.parentNode.id));
    const target = byId(link.hash.slice(1));
    if (target.matches("tr")) tell(list, target, [cell.parentNode.id, cell.textContent]);
  }

  function tellCommit(line, list) {
    const time = line.querySelector("time"), gap = line.querySelector(".gap"), others = line.querySelector(".others");
    item(list, "Commit", ...id(line.id));
    if (time) item(list, "Made", time.dateTime);
    if (line.dataset.parent) item(list, "First parent", ...commit(line.dataset.parent));
    if (gap) item(list, "Metafile", gap.textContent);
    if (others) item(list, "Other objects", others.textContent);
    const cells = [...line.cells].slice(1);
    for (const chip of document.querySelectorAll(".legend .chip")) {
      const same = cells.filter((cell) => cell.className === chip.classList[1]);
      if (same.length) item(list, chip.cloneNode(true), same.map((cell) => heads[cell.cellIndex].title).join(", "));
    }
  }

  function open(link) {
    const cell = link.parentNode, line = cell.parentNode, isCommit = cell.cellIndex === 0, list = make("dl");
    const title = isCommit ? line.querySelector(".subject")?.textContent || line.id : heads[cell.cellIndex].title;
    const head = make("h3", title), button = make("button", "Close");
    head.id = "pane-title";
    head.tabIndex = -1;
    button.type = "button";
    button.addEventListener("click", () => close());
    if (isCommit) tellCommit(line, list);
    else tellCell(link, list);
    pane.replaceChildren(make("header", head, button), list);
    if (opener) opener.classList.remove("open");
    opener = link;
    opener.classList.add("open");
    move(link, false);
    if (!pane.open) pane.show();
    pane.scrollTop = 0;
    head.focus();
    remember(line.id + (isCommit ? "" : "/" + title));
  }

  document.addEventListener("click", (event) => {
    const link = event.target.closest && event.target.closest("a[href^='#']");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    if (link.closest("#grid tbody")) {
      event.preventDefault();
      open(link);
    } else if (lines.includes(byId(link.hash.slice(1)))) {
      event.preventDefault();
      jump(byId(link.hash.slice(1)));
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !pane.open) return;
    event.preventDefault();
    close();
  });

  filter.addEventListener("submit", (event) => event.preventDefault());
  filter.addEventListener("input", () => { apply(); remember(); });
  filter.addEventListener("reset", () => setTimeout(() => { apply(); remember(); }));
  addEventListener("hashchange", recall);
  for (const link of grid.querySelectorAll("tbody a")) link.tabIndex = -1;
  stop.tabIndex = 0;
  filter.hidden = false;
  // The groups of a long table are blocks, and not every browser still takes such for a table's.
  if (grid.matches(".long")) {
    const name = (role, nodes) => { for (const node of nodes) node.setAttribute("role", role); };
    name("table", [grid]);
    name("rowgroup", [grid.tHead, ...groups, grid.tFoot]);
    name("row", grid.rows);
    name("columnheader", heads);
    name("rowheader", grid.querySelectorAll("tbody th"));
    name("cell", grid.querySelectorAll("td"));
  }
  // Nothing that is moved to lies beneath what sticks.
  const margin = () => { scroll.style.scrollPadding = heads[0].offsetHeight + 4 + "px 4px 4px " + (heads[0].offsetWidth + 4) + "px"; };
  margin();
  addEventListener("resize", () => {
    margin();
    height = lines.find((line) => !line.hidden)?.offsetHeight || height;
    groups.forEach(estimate);
  });
  recall();
})();
