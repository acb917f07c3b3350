// Wires the page together: what a person does, what the service says, and what is drawn of it.

import { documentActions } from "./actions.js";
import { Announcer } from "./announcer.js";
import { Api } from "./api.js";
import { documentColumns } from "./columns.js";
import { Documents, NO_TOTALS } from "./documents.js";
import { takeDrops } from "./drops.js";
import { Events } from "./events.js";
import { listenToFilters } from "./filters.js";
import { readDrop, readInput } from "./folders.js";
import { STATES, plural, progressOf } from "./format.js";
import { Notices, tellLeftOut } from "./notices.js";
import { Overview } from "./overview.js";
import { SignIn } from "./signin.js";
import { VirtualTable } from "./table.js";
import { OtherTabs } from "./tabs.js";
import { Uploads } from "./uploads.js";

const byId = (id) => document.getElementById(id);

class Page {
  constructor() {
    this.announcer = new Announcer(byId("spoken"));
    this.notices = new Notices(byId("notices"), this.announcer);
    this.overview = new Overview(byId("overview"));
    this.api = new Api(() => this.askToSignIn());
    this.documents = new Documents(this.api, () => this.draw(), (error) => this.trouble(error));
    this.signIn = new SignIn(this.api, byId("sign-in"), () => this.begin());
    this.uploads = new Uploads({
      api: this.api,
      documents: this.documents,
      others: new OtherTabs(() => this.drawNotes()),
      onChange: () => this.drawNotes(),
      onKnown: (name) => this.tellKnown(name),
      whenSignedIn: () => this.signIn.wait(),
    });
    this.events = null;
    this.begun = new Promise((resolve) => { this.tellBegun = resolve; });
    this.csrf = "";
    this.known = 0;
    this.local = [];
    this.drawing = 0;
    this.noted = false;
    this.table = this.newTable();
    this.listen();
  }

  newTable() {
    const { documents } = this;
    const shown = () => documents.count + this.local.length;
    return new VirtualTable(document.querySelector("#list table"), {
      columns: documentColumns({
        actions: documentActions(this),
        pictureUrl: ({ id }) => this.api.pictureUrl(id),
        noteOf: (item) => this.uploads.noteOf(item),
      }),
      source: {
        get count() { return shown(); },
        at: (index) => documents.at(index) ?? this.local[index - documents.count] ?? null,
        indexOf: (key) => this.indexOf(key),
        want: (first, last) => documents.want(first, Math.min(last, documents.count)),
      },
      keyOf: (item) => this.uploads.keyOf(item),
      onEmptied: () => byId("documents").focus(),
    });
  }

  indexOf(key) {
    const place = this.local.findIndex((row) => row.key === key);
    if (place >= 0) return this.documents.count + place;
    return this.documents.indexOf(this.uploads.idOf(key));
  }

  /** Does something with one document, here where the service does not have it yet. */
  async act(item, what, ask) {
    if (!item.id || what === "cancel") this.uploads[what](item);
    if (!item.id) return;
    await this.attempt(`${what} ${item.name}`, ask);
    this.documents.markStale();
  }

  async attempt(what, ask) {
    try {
      return await ask();
    } catch (error) {
      if (error.status !== 404) this.notices.show("refused", `Could not ${what}: ${error.message}`);
      return null;
    }
  }

  listen() {
    for (const id of ["files", "folder"]) {
      const input = byId(id);
      input.addEventListener("change", () => {
        this.take(readInput(input));
        input.value = ""; // the same files may be chosen again
      });
    }
    takeDrops(async (transfer) => this.take(await readDrop(transfer)));
    for (const button of document.querySelectorAll("[data-bulk]")) {
      button.addEventListener("click", () => this.bulk(button));
    }
    byId("sign-out").addEventListener("click", () => this.leave());
    listenToFilters(document.querySelector(".filters"), STATES, (text, state) => {
      this.documents.narrow(text, state);
      this.draw();
    });
    addEventListener("beforeunload", (event) => {
      if (this.uploads.busy) event.preventDefault();
    });
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && this.signIn.open) this.start();
    });
  }

  /** Finds out who this is; shows the form or the list. */
  async start() {
    try {
      const session = await this.api.refreshSession();
      byId("version").textContent = `batch-converter ${session.version}`;
      byId("offline").hidden = true;
      if (session.needs_sign_in && !session.signed_in) this.askToSignIn();
      else this.signIn.done();
    } catch {
      byId("offline").hidden = false;
      setTimeout(() => this.start(), 2000);
    }
  }

  async begin() {
    byId("work").hidden = false;
    byId("sign-out").hidden = !this.api.session.needs_sign_in;
    this.events?.close();
    this.documents.clear();
    this.dropForeign();
    await this.documents.refresh();
    this.tellBegun();
    this.events = new Events({
      api: this.api,
      sequence: () => this.documents.sequence,
      onChange: (change) => {
        this.uploads.follow(change);
        this.documents.apply(change);
      },
      onReload: () => this.documents.reload(),
      onConnection: (connected) => { byId("offline").hidden = connected; },
    });
    this.events.start();
  }

  askToSignIn() {
    this.events?.close();
    this.events = null;
    this.documents.clear();
    this.draw();
    byId("work").hidden = true;
    byId("sign-out").hidden = true;
    this.signIn.show();
  }

  /** What was chosen in another's session is not sent in this one. */
  dropForeign() {
    const { needs_sign_in, csrf } = this.api.session;
    if (needs_sign_in && this.csrf !== csrf) this.uploads.forget();
    this.csrf = csrf;
  }

  async leave() {
    this.uploads.forget();
    await this.attempt("sign out", () => this.api.signOut());
    await this.start();
    this.announcer.say("Signed out.");
  }

  trouble(error) {
    if (error.status === 0) byId("offline").hidden = false;
    else if (error.status !== 401) this.notices.show("refused", error.message);
  }

  /** Sends what was chosen, and says what of it is not sent. */
  async take({ files, passedOver, unreadable }) {
    this.notices.hide("known");
    this.known = 0;
    await this.begun; // a file may be chosen before the service has said who this is
    if (this.signIn.open) await this.signIn.wait();
    tellLeftOut(this.notices, { files, passedOver, unreadable });
    const before = this.documents.count + this.local.length;
    const added = await this.uploads.add(files);
    if (!added) return;
    this.draw();
    requestAnimationFrame(() => this.table.reveal(before));
  }

  tellKnown(name) {
    this.known += 1;
    const text = this.known === 1
      ? `${name} is here already: its bytes were not sent again.`
      : `${plural(this.known, "file")} are here already: their bytes were not sent again.`;
    this.notices.show("known", text);
  }

  async bulk(button) {
    if (button.getAttribute("aria-disabled") === "true") return;
    const action = button.dataset.bulk;
    const here = { retry_failed: "retryFailed", cancel_all: "cancelAll", remove_ended: "removeEnded" };
    this.uploads[here[action]]();
    await this.attempt(button.textContent.toLowerCase(), () => this.api.bulk(action));
    this.documents.markStale();
  }

  /** Draws the rows anew: what is said of uploads stands in no document. */
  drawNotes() {
    this.noted = true;
    this.draw();
  }

  /** Draws all that has changed, once a frame. */
  draw() {
    this.drawing ||= requestAnimationFrame(() => {
      this.drawing = 0;
      this.drawNow();
    });
  }

  drawNow() {
    this.local = this.documents.loaded ? this.uploads.rows() : [];
    if (!this.documents.loaded) {
      this.table.draw(); // nothing of a session that has ended stays on the page
      return;
    }
    const totals = this.totals();
    this.overview.show(totals, this.uploads.progress, this.uploads.busy);
    this.announcer.follow(totals);
    this.showBulk(totals);
    this.showEmpty(totals);
    this.table.draw({ afresh: this.noted });
    this.noted = false;
  }

  /** The service's totals and those of files that it does not have yet. */
  totals() {
    const totals = { ...NO_TOTALS, ...this.documents.totals };
    for (const { state, size_bytes } of this.uploads.uncounted()) {
      totals[state] += 1;
      totals.documents += 1;
      totals.bytes_in += size_bytes;
    }
    return totals;
  }

  showBulk(totals) {
    const { done, open } = progressOf(totals);
    byId("download-all").hidden = !totals.ready;
    const possible = { retry_failed: totals.failed, cancel_all: open, remove_ended: done };
    for (const button of document.querySelectorAll("[data-bulk]")) {
      button.setAttribute("aria-disabled", String(!possible[button.dataset.bulk]));
    }
  }

  showEmpty(totals) {
    const empty = document.querySelector("#list .empty");
    empty.hidden = this.documents.count + this.local.length > 0;
    byId("work").classList.toggle("has-documents", totals.documents > 0);
    empty.textContent = totals.documents
      ? "No document matches the filter."
      : "What you choose or drop appears here, each document with its state and its PDF.";
  }
}

new Page().start();
