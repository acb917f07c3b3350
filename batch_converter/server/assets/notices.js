// Sentences that stay until they are read: what was passed over, refused, or is wrong now.

import { plural } from "./format.js";

const NAMES_SHOWN = 3;

export class Notices {
  #list;
  #announcer;

  constructor(list, announcer) {
    this.#list = list;
    this.#announcer = announcer;
  }

  /** Shows and says a sentence; one of the same kind takes the earlier one's place. */
  show(kind, text) {
    const notice = this.#find(kind) ?? this.#add(kind);
    notice.firstElementChild.textContent = text;
    this.#announcer.say(text);
  }

  hide(kind) {
    this.#find(kind)?.remove();
  }

  #find(kind) {
    return this.#list.querySelector(`[data-kind="${kind}"]`);
  }

  #add(kind) {
    const notice = document.createElement("li");
    notice.dataset.kind = kind;
    const dismiss = document.createElement("button");
    dismiss.type = "button";
    dismiss.className = "quiet";
    dismiss.textContent = "Dismiss";
    dismiss.addEventListener("click", () => notice.remove());
    notice.append(document.createElement("p"), dismiss);
    this.#list.append(notice);
    return notice;
  }
}

/** Says how many files were passed over, and why. */
export function tellLeftOut(notices, { files, passedOver, unreadable }) {
  if (passedOver.length) {
    const them = passedOver.length === 1 ? "its name does" : "their names do";
    notices.show("passed-over", `${plural(passedOver.length, "file")} passed over, as ${them} not ` +
      `end in .djvu or .djv: ${some(passedOver)}.`);
  } else notices.hide("passed-over");
  if (unreadable.length) {
    notices.show("unreadable", `${plural(unreadable.length, "file or folder")} could not be read: ` +
      `${some(unreadable)}.`);
  } else notices.hide("unreadable");
  if (!files.length && !passedOver.length && !unreadable.length) {
    notices.show("passed-over", "There is no file in it.");
  }
}

function some(names) {
  const more = names.length - NAMES_SHOWN;
  const shown = names.slice(0, NAMES_SHOWN).join(", ");
  return more > 0 ? `${shown} and ${more} more` : shown;
}
