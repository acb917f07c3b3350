// The columns of a table of documents. What can be done with one is handed in: a page that only
// looks on gives no actions, and no links.

import { ENDED, bytes, count, duration, moment, ordinal, plural, shortMoment } from "./format.js";

const PICTURE_TRIES = 4;
const PICTURE_PAUSE_MS = 3000;
const WARNINGS_SHOWN = 4;

/**
 * @param actions `{ key, label, shown(item), run(item) }`, or `href(item)` in place of `run`
 * @param pictureUrl the address of an item's picture, or null where it has none
 * @param noteOf more to say of an item, such as why its upload pauses; may be empty
 */
export function documentColumns({ actions = [], pictureUrl = () => null, noteOf = () => "" }) {
  const columns = [
    { key: "picture", label: "First page", fill: (cell, item) => fillPicture(cell, item, pictureUrl) },
    { key: "name", label: "Name", header: true, fill: fillName },
    { key: "state", label: "State", fill: fillState },
    { key: "pages", label: "Pages", fill: (cell, { pages }) => put(cell, pages ? count(pages) : "") },
    { key: "size", label: "DjVu", fill: (cell, item) => put(cell, bytes(item.size_bytes)) },
    { key: "pdf", label: "PDF", fill: (cell, item) => put(cell, item.pdf_bytes ? bytes(item.pdf_bytes) : "") },
    { key: "time", label: "Time", fill: fillTime },
    { key: "details", label: "Details", fill: (cell, item) => fillDetails(cell, item, noteOf(item)) },
  ];
  if (actions.length) {
    columns.push({
      key: "actions",
      label: "Actions",
      fill: (cell, item) => fillActions(cell, item, actions),
    });
  }
  return columns;
}

/** Text that is written only where it differs: a selection in it lives on. */
function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function child(parent, tag, className) {
  let element = parent.querySelector(`:scope > .${className}`);
  if (!element) {
    element = document.createElement(tag);
    element.className = className;
    parent.append(element);
  }
  return element;
}

/** The folders apart from the file, so that the eye finds the file. */
function fillName(cell, { name }) {
  const cut = name.lastIndexOf("/") + 1;
  put(child(cell, "span", "folder"), name.slice(0, cut));
  put(child(cell, "span", "file"), name.slice(cut));
}

function fillState(cell, { state }) {
  put(child(cell, "span", "state-text"), state);
}

function fillPicture(cell, item, pictureUrl) {
  const url = item.state === "ready" ? pictureUrl(item) : null;
  const had = cell.querySelector("img");
  if (!url) {
    had?.remove();
    return;
  }
  const picture = had ?? newPicture(cell);
  picture.alt = `First page of ${item.name}`;
  if (picture.getAttribute("src") !== url) picture.src = url;
}

function newPicture(cell) {
  const picture = document.createElement("img");
  picture.decoding = "async";
  picture.loading = "lazy";
  let tries = 0;
  picture.addEventListener("load", () => picture.classList.remove("broken"));
  // Without its picture a document is as good as before: its place stays empty meanwhile.
  picture.addEventListener("error", () => {
    picture.classList.add("broken");
    tries += 1;
    if (tries < PICTURE_TRIES) setTimeout(() => tryAgain(picture), PICTURE_PAUSE_MS * tries);
  });
  cell.append(picture);
  return picture;
}

function tryAgain(picture) {
  const url = picture.getAttribute("src");
  if (picture.isConnected) picture.src = url;
}

function fillTime(cell, { submitted_at, started_at, ended_at }) {
  const time = child(cell, "time", "submitted");
  put(time, submitted_at ? shortMoment(new Date(submitted_at)) : "");
  if (submitted_at) time.dateTime = submitted_at;
  const seconds = (new Date(ended_at) - new Date(started_at)) / 1000;
  put(child(cell, "span", "took"), started_at && ended_at ? `in ${duration(seconds)}` : "");
}

function fillDetails(cell, item, note) {
  fillLines(cell, detailsOf(item, note));
  const sending = item.state === "uploading" && item.size_bytes > 0;
  const bar = cell.querySelector("progress");
  if (!sending) {
    bar?.remove();
    return;
  }
  const shown = bar ?? cell.appendChild(document.createElement("progress"));
  shown.setAttribute("aria-label", `Upload of ${item.name}`);
  shown.max = item.size_bytes;
  shown.value = item.received_bytes;
}

function fillLines(cell, lines) {
  const had = [...cell.querySelectorAll(":scope > p")];
  had.slice(lines.length).forEach((line) => line.remove());
  lines.forEach(({ kind, text }, place) => {
    const line = had[place] ?? document.createElement("p");
    line.className = kind;
    put(line, text);
    if (!had[place]) cell.insertBefore(line, cell.querySelector("progress"));
  });
}

/** What is to be said of a document beside its figures, a line each. */
function detailsOf(item, note) {
  const lines = [];
  if (item.error) {
    lines.push({ kind: "error", text: `${item.error.code}: ${item.error.message}` });
    if (item.error.advice) lines.push({ kind: "advice", text: item.error.advice });
  }
  lines.push(...warningsOf(item.warnings ?? []));
  if (note) lines.push({ kind: "note", text: note });
  if (item.state === "uploading") {
    const sent = `${bytes(item.received_bytes)} of ${bytes(item.size_bytes)}`;
    lines.push({ kind: "plain", text: sent });
  }
  if (item.state === "waiting" && item.place) {
    lines.push({ kind: "plain", text: `${ordinal(item.place)} in the queue` });
  }
  if (ENDED.has(item.state) && item.kept_until) {
    lines.push({ kind: "plain", text: `Kept until ${moment(new Date(item.kept_until))}` });
  }
  return lines;
}

function warningsOf(warnings) {
  const lines = warnings.slice(0, WARNINGS_SHOWN).map((text) => ({ kind: "warning", text }));
  const more = warnings.length - WARNINGS_SHOWN;
  if (more > 0) lines.push({ kind: "warning", text: `and ${plural(more, "more warning")}` });
  return lines;
}

/** Buttons and links, each named by its document: `Cancel a/b.djvu`. */
function fillActions(cell, item, actions) {
  let at = cell.firstElementChild;
  for (const action of actions) {
    const had = cell.querySelector(`[data-control="${action.key}"]`);
    if (!action.shown(item)) {
      if (had === at) at = at?.nextElementSibling ?? null;
      had?.remove();
      continue;
    }
    const control = had ?? newControl(action);
    if (control === at) at = at.nextElementSibling;
    else cell.insertBefore(control, at);
    control.item = item;
    control.setAttribute("aria-label", `${action.label} ${action.named?.(item) ?? item.name}`);
    if (action.href) control.href = action.href(item);
  }
}

function newControl({ key, label, href, run }) {
  const control = document.createElement(href ? "a" : "button");
  control.dataset.control = key;
  control.textContent = label;
  if (href) control.setAttribute("download", "");
  else {
    control.type = "button";
    control.addEventListener("click", () => run(control.item));
  }
  return control;
}
