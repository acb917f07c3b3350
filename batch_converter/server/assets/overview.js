// The whole at a glance: one bar for all documents, their totals, and what can be done with all.

import { STATES, bytes, count, duration, plural, progressOf } from "./format.js";

export class Overview {
  #bar;
  #totals;
  #sending;

  /** @param section holds the bar, the totals and the line about uploads */
  constructor(section) {
    this.#bar = section.querySelector(".bar");
    this.#totals = section.querySelector(".totals");
    this.#sending = section.querySelector(".sending");
    for (const state of STATES) {
      this.#bar.append(piece("span", state));
      this.#totals.append(" ", piece("span", state));
    }
  }

  show(totals, speed, busy) {
    this.#showBar(totals);
    this.#showTotals(totals);
    this.#sending.textContent = busy ? sendingLine(speed) : "";
  }

  #showBar(totals) {
    const { done } = progressOf(totals);
    const all = totals.documents;
    this.#bar.hidden = !all;
    this.#bar.setAttribute("aria-valuenow", String(all ? Math.floor((100 * done) / all) : 0));
    this.#bar.setAttribute("aria-valuetext", `${count(done)} of ${plural(all, "document")} done`);
    for (const part of this.#bar.children) {
      part.style.flexGrow = String(totals[part.dataset.state]);
      part.hidden = !totals[part.dataset.state];
    }
  }

  #showTotals(totals) {
    const [all, ...states] = this.#totals.children;
    all.textContent = totals.documents
      ? `${plural(totals.documents, "document")}${sizes(totals)}`
      : "No documents yet";
    for (const part of states) {
      const number = totals[part.dataset.state];
      part.textContent = number ? `${count(number)} ${part.dataset.state}` : "";
      part.hidden = !number;
    }
  }
}

function sizes({ bytes_in, bytes_out }) {
  if (!bytes_in) return "";
  return bytes_out ? `, ${bytes(bytes_in)} of DjVu, ${bytes(bytes_out)} of PDF` : `, ${bytes(bytes_in)} of DjVu`;
}

function piece(tag, state) {
  const element = document.createElement(tag);
  element.dataset.state = state;
  element.hidden = true;
  return element;
}

function sendingLine({ files, filesDone, bytes: all, bytesDone, rate, leftS }) {
  const parts = [
    `Sending ${plural(files, "file")}: ${count(filesDone)} done, ${bytes(bytesDone)} of ${bytes(all)}`,
  ];
  if (rate) parts.push(`${bytes(rate)} a second`);
  if (leftS !== null) parts.push(`about ${duration(Math.max(1, leftS))} left`);
  return parts.join(", ");
}
