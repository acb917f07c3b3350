"use strict";
// The table of the documents: searched, filtered, sorted and drawn a hundred rows at a time.
// Names and messages are a stranger's: they become text, never markup.

(() => {
  const AT_ONCE = 100;
  const ON_PAPER = 200;
  const COUNT = new Intl.NumberFormat("en");
  const NAMES = new Intl.Collator("en", { numeric: true });
  const WORDS = { failed: "failed", remaining: "remaining", converted: "converted", skipped: "up to date" };
  const SVG = "http://www.w3.org/2000/svg";
  const byId = (id) => document.getElementById(id);

  const data = JSON.parse(byId("data").textContent);
  const files = data.rows.map((row) => {
    const file = {};
    data.columns.forEach((name, at) => { file[name] = row[at] ?? 0; });
    return completed(file);
  });
  files.sort((one, other) => urgency(one) - urgency(other));
  files.forEach((file, number) => { file.number = number; });

  /** What failed comes first, then what has warnings, and then the rest. */
  function urgency(file) {
    return file.status === "failed" ? 0 : 1 + (file.warnings.length ? 0 : 1 + data.statuses.indexOf(file.status));
  }

  /** Spell out what the data abbreviates. */
  function completed(file) {
    file.status = data.statuses[file.status];
    file.root = data.roots[file.root];
    file.calls = file.submissions + file.polls;
    file.warnings ||= [];
    file.hasPdf = file.status === "converted" || file.status === "skipped";
    if (typeof file.output === "number") file.output = `${file.source.slice(0, file.source.length - file.output)}.pdf`;
    const [began, ...flat] = file.timeline || [];
    file.began = began ?? null;
    file.phases = [];
    for (let at = 0; at < flat.length; at += 2) file.phases.push({ phase: data.phases[flat[at]], ms: flat[at + 1] });
    file.took = file.timeline ? file.phases.reduce((sum, each) => sum + each.ms, 0) : null;
    return file;
  }

  // Words and numbers

  function duration(ms) {
    if (ms < 995) return `${(ms / 1000).toFixed(2)} s`;
    if (ms < 9950) return `${(ms / 1000).toFixed(1)} s`;
    const seconds = Math.round(ms / 1000);
    if (seconds < 60) return `${seconds} s`;
    const minutes = Math.floor(seconds / 60);
    return minutes < 60 ? `${minutes} min ${seconds % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  }

  function size(bytes) {
    let value = bytes;
    for (const unit of ["bytes", "KiB", "MiB", "GiB"]) {
      if (value < 1024) return unit === "bytes" ? `${value} bytes` : `${value.toFixed(1)} ${unit}`;
      value /= 1024;
    }
    return `${value.toFixed(1)} TiB`;
  }

  const plural = (count, noun) => `${COUNT.format(count)} ${noun}${count === 1 ? "" : "s"}`;
  const clock = (ms) => new Date(data.began + ms).toISOString().slice(11, 19);
  const moment = (ms) => `${new Date(data.began + ms).toISOString().slice(0, 19).replace("T", " ")} UTC`;
  const described = (file) => file.phases.map(({ phase, ms }) => `${phase[1]} ${duration(ms)}`).join(", ");

  /** What stands below a name: why it failed, else the first warning. */
  function said(file) {
    if (file.code) return `${file.code}: ${file.message || ""}`;
    const more = file.warnings.length > 1 ? ` (and ${file.warnings.length - 1} more)` : "";
    return file.warnings.length ? file.warnings[0] + more : "";
  }

  // Elements

  function element(tag, { text, ...attributes } = {}, ...children) {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  }

  function rectangle(kind, x, width) {
    const made = document.createElementNS(SVG, "rect");
    made.setAttribute("class", kind);
    made.setAttribute("x", x.toFixed(2));
    made.setAttribute("width", width.toFixed(2));
    made.setAttribute("height", "10");
    return made;
  }

  /** Draw a document's phases on the axis that the rows share. */
  function timeline(file, axis) {
    if (file.took === null) return element("span", { class: "note", text: "not taken up" });
    const drawn = document.createElementNS(SVG, "svg");
    drawn.setAttribute("class", "timeline");
    drawn.setAttribute("viewBox", "0 0 1000 10");
    drawn.setAttribute("preserveAspectRatio", "none");
    drawn.setAttribute("role", "img");
    drawn.setAttribute("aria-label", described(file));
    drawn.append(rectangle("track", 0, 1000));
    const scale = 1000 / axis.length;
    let at = ((axis.isClock ? file.began : 0) - axis.start) * scale;
    for (const { phase, ms } of file.phases) {
      drawn.append(rectangle(phase[0], Math.min(at, 997), Math.max(ms * scale, 3)));
      at += ms * scale;
    }
    return drawn;
  }

  function axisOf(rows) {
    const taken = rows.filter((file) => file.took !== null);
    const isClock = byId("scale").value === "clock";
    const start = isClock ? Math.min(...taken.map((file) => file.began)) : 0;
    const end = Math.max(...taken.map((file) => (isClock ? file.began : 0) + file.took));
    return taken.length ? { isClock, start, length: Math.max(end - start, 1) } : { isClock, start: 0, length: 1 };
  }

  // Columns: what they show, and by what they sort

  const COLUMNS = [
    { key: "source", label: "Document", sort: (file) => file.source, isText: true },
    { key: "status", label: "Status", sort: (file) => data.statuses.indexOf(file.status), show: (file) => WORDS[file.status], first: 1 },
    { key: "time", label: "Timeline", show: timeline },
    { key: "began", label: "Began", sort: (file) => file.began, show: (file) => (file.began === null ? "" : clock(file.began)), first: 1 },
    { key: "took", label: "Took", sort: (file) => file.took, show: (file) => (file.took === null ? "" : duration(file.took)), isNumber: true },
    { key: "pages", label: "Pages", sort: (file) => file.pages || null, show: (file) => (file.pages ? COUNT.format(file.pages) : ""), isNumber: true },
    { key: "in", label: "DjVu", sort: (file) => file.bytesIn || null, show: (file) => (file.bytesIn ? size(file.bytesIn) : ""), isNumber: true },
    { key: "out", label: "PDF", sort: (file) => file.bytesOut || null, show: (file) => (file.bytesOut ? size(file.bytesOut) : ""), isNumber: true },
    { key: "calls", label: "Calls", sort: (file) => file.calls, show: (file) => (file.calls ? COUNT.format(file.calls) : ""), isNumber: true },
  ].filter(({ key }) => data.hasCalls || key !== "calls");
  const PHRASES = {
    source: ["name", "name, backwards"],
    status: ["status", "status, backwards"],
    began: ["earliest first", "latest first"],
    took: ["quickest", "slowest"],
    pages: ["fewest pages", "most pages"],
    in: ["smallest DjVu", "largest DjVu"],
    out: ["smallest PDF", "largest PDF"],
    calls: ["fewest calls", "most calls"],
  };

  const state = { key: "", way: 1, from: 0, open: new Set(), found: files };

  // Finding

  const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

  function haystack(file) {
    file.haystack ??= plain([file.source, file.root, file.output || "", file.code || "", file.message || "", file.taskId || "", ...file.warnings].join("\n"));
    return file.haystack;
  }

  function isWanted(file, filter) {
    if (!filter) return true;
    const [kind, name] = filter.split(":");
    if (kind === "warned") return file.warnings.length > 0;
    return kind === "status" ? file.status === name : file.code === name;
  }

  function find() {
    const words = plain(byId("search").value).split(/\s+/).filter(Boolean);
    const filter = byId("filter").value;
    const found = files.filter((file) => isWanted(file, filter) && words.every((word) => haystack(file).includes(word)));
    const column = COLUMNS.find((each) => each.key === state.key);
    if (column) found.sort((one, other) => compared(column.sort(one), column.sort(other), column) || one.number - other.number);
    state.found = found;
  }

  /** Compare; what is not known comes last, whichever way. */
  function compared(one, other, column) {
    if (one === null || other === null) return (one === null) - (other === null);
    return state.way * (column.isText ? NAMES.compare(one, other) : one - other);
  }

  // Drawing

  function row(file, axis) {
    const kinds = file.warnings.length && !file.code ? [file.status, "warned"] : [file.status];
    const drawn = element("tr", { class: kinds.join(" ") });
    for (const column of COLUMNS) {
      if (column.key === "source") drawn.append(nameCell(file, axis));
      else {
        const shown = column.show(file, axis);
        const cell = element("td", { class: column.isNumber ? `${column.key} number` : column.key });
        cell.append(shown);
        drawn.append(cell);
      }
    }
    return drawn;
  }

  function nameCell(file, axis) {
    const slash = file.source.lastIndexOf("/") + 1;
    const name = element("bdi", {}, element("span", { class: "folder", text: file.source.slice(0, slash) }), file.source.slice(slash));
    const isOpen = state.open.has(file.number);
    const button = element("button", { type: "button", class: "name", "aria-expanded": isOpen, "data-number": file.number }, name);
    const cell = element("th", { scope: "row", class: "source" }, button);
    const facts = [WORDS[file.status], file.took === null ? "" : duration(file.took), file.pages ? plural(file.pages, "page") : "", sizes(file)];
    const brief = element("span", { class: "brief", text: facts.filter(Boolean).join(" \u00b7 ") });
    if (file.took !== null) brief.append(timeline(file, axis));
    cell.append(brief);
    if (said(file)) cell.append(element("span", { class: "said", text: said(file) }));
    return cell;
  }

  function sizes(file) {
    if (!file.bytesIn) return "";
    return file.bytesOut ? `${size(file.bytesIn)} \u2192 ${size(file.bytesOut)}` : size(file.bytesIn);
  }

  /** Whether the source as it was named is the file itself, and no folder that holds it. */
  function isItself({ root, source }) {
    return /^https?:/.test(root) || `/${root}`.endsWith(`/${source}`);
  }

  /** All that is known of a document, below its row. */
  function more(file) {
    const facts = element("dl");
    const tell = (name, text) => {
      if (text) facts.append(element("dt", { text: name }), element("dd", {}, element("bdi", { text })));
    };
    tell("source", isItself(file) ? file.root : `${file.root.replace(/\/$/, "")}/${file.source}`);
    tell("PDF", file.hasPdf && file.output);
    tell("moved to", file.movedTo);
    tell("failed with", file.code && `${file.code}: ${file.message || ""}`);
    for (const warning of file.warnings) tell("warning", warning);
    tell("pages", file.pages && COUNT.format(file.pages));
    tell("sizes", sizes(file));
    tell("calls", data.hasCalls && file.calls && `${plural(file.submissions, "submission")}, ${plural(file.polls, "question")}`);
    tell("task", file.taskId);
    tell("taken up", file.began !== null && moment(file.began));
    const cell = element("td", { class: "across", colspan: columnsShown() }, facts);
    if (file.phases.length) cell.append(phaseTable(file));
    return element("tr", { class: "more" }, cell);
  }

  function phaseTable(file) {
    const body = element("tbody");
    let at = file.began;
    for (const { phase, ms } of file.phases) {
      body.append(element("tr", {},
        element("th", { scope: "row" }, element("span", { class: `key ${phase[0]}`, text: phase[1] })),
        element("td", { class: "number", text: clock(at) }),
        element("td", { class: "number", text: duration(ms) })));
      at += ms;
    }
    const head = ["phase", "from (UTC)", "took"].map((text, index) => element("th", { scope: "col", class: index ? "number" : "", text }));
    return element("table", {}, element("caption", { text: "Timeline" }), element("thead", {}, element("tr", {}, ...head)), body);
  }

  function draw(most = AT_ONCE) {
    const shown = state.found.slice(state.from, state.from + most);
    const axis = axisOf(shown);
    const body = element("tbody");
    for (const file of shown) {
      body.append(row(file, axis));
      if (state.open.has(file.number)) body.append(more(file));
    }
    if (!shown.length) body.append(element("tr", { class: "none" }, element("td", { class: "across", colspan: columnsShown(), text: "No document is like that." })));
    byId("table").tBodies[0].replaceWith(body);
    drawAxis(axis, shown.some((file) => file.took !== null));
    const range = shown.length ? `${COUNT.format(state.from + 1)} to ${COUNT.format(state.from + shown.length)} of ${COUNT.format(state.found.length)}` : "";
    byId("place").textContent = range;
    byId("pager").hidden = state.found.length <= AT_ONCE;
    byId("previous").disabled = state.from === 0;
    byId("next").disabled = state.from + AT_ONCE >= state.found.length;
  }

  function drawAxis(axis, isThere) {
    const ends = byId("ends");
    const shown = axis.isClock ? [clock(axis.start), clock(axis.start + axis.length)] : ["0 s", duration(axis.length)];
    ends.replaceChildren(...(isThere ? shown.map((text) => element("span", { text })) : []));
  }

  function drawHead() {
    const head = byId("table").tHead.rows[0];
    for (const column of COLUMNS) {
      const cell = element("th", { scope: "col", class: column.isNumber ? `${column.key} number` : column.key });
      if (column.sort) {
        const button = element("button", { type: "button", text: column.label });
        button.addEventListener("click", () => sortBy(column.key, state.key === column.key ? -state.way : firstWay(column)));
        cell.append(button);
        column.head = cell;
      } else cell.append(column.label, element("span", { class: "ends", id: "ends" }));
      head.append(cell);
    }
  }

  const firstWay = (column) => (column.isText || column.first ? 1 : -1);

  function sortBy(key, way) {
    Object.assign(state, { key, way, from: 0 });
    for (const column of COLUMNS) {
      if (column.key === key) column.head.setAttribute("aria-sort", way > 0 ? "ascending" : "descending");
      else column.head?.removeAttribute("aria-sort");
    }
    byId("sort").value = key && `${key}:${way}`;
    find();
    draw();
  }

  function refresh() {
    state.from = 0;
    find();
    draw();
    const all = state.found.length === files.length;
    const noun = plural(files.length, "document");
    byId("counted").textContent = all ? noun : `${COUNT.format(state.found.length)} of ${noun}`;
  }

  function turn(pages) {
    state.from = Math.max(0, state.from + pages * AT_ONCE);
    draw();
    byId("documents").scrollIntoView();
    if (document.activeElement.disabled) byId("documents").focus();
  }

  // Controls

  function addOptions() {
    const filter = byId("filter");
    const option = (value, text) => element("option", { value, text });
    const counted = (what) => files.reduce((sum, file) => sum + Boolean(what(file)), 0);
    filter.append(option("", "all"));
    for (const status of data.statuses) {
      const count = counted((file) => file.status === status);
      if (count) filter.append(option(`status:${status}`, `${WORDS[status]} (${COUNT.format(count)})`));
    }
    const warned = counted((file) => file.warnings.length);
    if (warned) filter.append(option("warned:", `with warnings (${COUNT.format(warned)})`));
    const codes = [...new Set(files.map((file) => file.code).filter(Boolean))].sort();
    for (const code of codes) filter.append(option(`code:${code}`, `${code} (${COUNT.format(counted((file) => file.code === code))})`));
    byId("sort").append(option("", "what to look at"));
    for (const { key, sort } of COLUMNS) {
      if (sort) [1, -1].forEach((way, index) => byId("sort").append(option(`${key}:${way}`, PHRASES[key][index])));
    }
    const there = new Set(files.flatMap((file) => file.phases.map(({ phase }) => phase)));
    for (const phase of data.phases) {
      if (there.has(phase)) byId("legend").append(element("li", { class: `key ${phase[0]}`, text: phase[1] }));
    }
    byId("legend").hidden = there.size === 0;
  }

  /** How many columns there is room for: a cell across more of them would make them, and take the first one's room. */
  function columnsShown() {
    return [...byId("table").tHead.rows[0].cells].filter((cell) => getComputedStyle(cell).display !== "none").length;
  }

  function fitAcross() {
    const shown = columnsShown();
    for (const cell of byId("table").querySelectorAll("td.across")) cell.colSpan = shown;
  }

  function toggle(button) {
    const file = files[button.dataset.number];
    const isOpen = state.open.delete(file.number);
    if (!isOpen) state.open.add(file.number);
    button.setAttribute("aria-expanded", !isOpen);
    const line = button.closest("tr");
    if (isOpen) line.nextElementSibling.remove();
    else line.after(more(file));
  }

  /** Times of the head beside those of this computer; the page itself is in UTC. */
  function tellLocalTimes() {
    const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
    for (const time of document.querySelectorAll(".facts time")) {
      const at = new Date(time.dateTime);
      if (at.getTimezoneOffset() === 0) continue;
      const here = at.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
      time.after(` (${here} in ${timeZone})`);
    }
  }

  function print() {
    const from = state.from;
    state.from = 0;
    draw(ON_PAPER);
    state.from = from;
    const printed = Math.min(ON_PAPER, state.found.length);
    byId("printed").textContent = printed < files.length
      ? `Printed: the first ${COUNT.format(printed)} of ${COUNT.format(files.length)} documents, as the table was sorted and filtered. The page on the screen, and the JSON and CSV reports, have all.`
      : "";
  }

  drawHead();
  addOptions();
  byId("search").addEventListener("input", refresh);
  byId("filter").addEventListener("change", refresh);
  byId("scale").addEventListener("change", () => draw());
  byId("sort").addEventListener("change", (event) => {
    const [key, way] = event.target.value.split(":");
    sortBy(key, Number(way) || 1);
  });
  byId("previous").addEventListener("click", () => turn(-1));
  byId("next").addEventListener("click", () => turn(1));
  byId("table").addEventListener("click", (event) => {
    const button = event.target.closest("button.name");
    if (button) toggle(button);
  });
  addEventListener("resize", fitAcross);
  addEventListener("beforeprint", print);
  addEventListener("afterprint", () => draw());
  tellLocalTimes();
  byId("listing").hidden = false;
  byId("unscripted").hidden = true;
  refresh();
})();
