// The page of a running batch: the service's table, looked at only, and what is said of the run.

import { Announcer } from "./announcer.js";
import { Api } from "./api.js";
import { documentColumns } from "./columns.js";
import { Documents, NO_TOTALS } from "./documents.js";
import { Events } from "./events.js";
import { listenToFilters } from "./filters.js";
import { count, duration, moment, plural } from "./format.js";
import { Overview } from "./overview.js";
import { VirtualTable } from "./table.js";

const LOOK_EVERY_MS = 2000; // pace and expected end change while no document does

const byId = (id) => document.getElementById(id);

class RunPage {
  constructor() {
    this.api = new Api(() => {});
    this.announcer = new Announcer(byId("spoken"));
    this.overview = new Overview(byId("overview"));
    this.run = null;
    this.documents = new Documents(this.api, () => this.draw(), () => this.away(true));
    this.table = this.newTable();
    this.listen();
  }

  newTable() {
    const { documents } = this;
    return new VirtualTable(document.querySelector("#list table"), {
      columns: documentColumns({}).filter(({ key }) => key !== "picture"),
      source: {
        get count() { return documents.count; },
        at: (index) => documents.at(index),
        indexOf: (key) => documents.indexOf(key),
        want: (first, last) => documents.want(first, last),
      },
      keyOf: ({ id }) => id,
      onEmptied: () => byId("documents").focus(),
    });
  }

  listen() {
    const states = ["waiting", "converting", "ready", "failed"];
    listenToFilters(document.querySelector(".filters"), states, (text, state) => {
      this.documents.narrow(text, state);
    });
  }

  async start() {
    try {
      const session = await this.api.refreshSession();
      byId("version").textContent = `batch-converter ${session.version}`;
      this.away(false);
      await this.documents.refresh();
    } catch {
      this.away(true);
      setTimeout(() => this.start(), LOOK_EVERY_MS);
      return;
    }
    new Events({
      api: this.api,
      sequence: () => this.documents.sequence,
      onChange: (change) => this.take(change),
      onReload: () => this.documents.reload(),
      onConnection: (connected) => this.away(!connected),
    }).start();
    setInterval(() => this.look(), LOOK_EVERY_MS);
    this.look();
  }

  take(change) {
    this.run = change.run ?? this.run;
    this.documents.apply(change);
  }

  async look() {
    try {
      this.run = (await this.api.changes(this.documents.sequence)).run;
      this.away(false);
      this.showRun();
    } catch {
      this.away(true);
    }
  }

  away(isAway) {
    byId("offline").hidden = !isAway || Boolean(this.run?.ended);
  }

  draw() {
    const totals = { ...NO_TOTALS, ...this.documents.totals };
    this.overview.show(totals, {}, false);
    this.showRun();
    this.announcer.follow(totals);
    byId("listed").textContent = aboutList(this.documents.listed, totals.documents);
    document.querySelector("#list .empty").hidden = this.documents.count > 0;
    this.table.draw();
  }

  showRun() {
    const { run } = this;
    if (!run) return;
    byId("run").textContent = aboutRun(run);
    byId("pace").textContent = aboutPace(run);
    byId("calls").textContent = aboutCalls(run);
  }
}

function aboutRun({ engine, output, started_at, ended, exit_code, stopped }) {
  const begun = started_at ? `since ${moment(new Date(started_at))}` : "";
  if (ended) return `The run into ${output} has ended with code ${exit_code}. ${stopped}`.trim();
  return [`Converting into ${output} with the engine ${engine} ${begun}`, stopped].filter(Boolean).join(". ");
}

function aboutPace({ discovering, found, converted, skipped, failed, files_per_minute, expected_end }) {
  const done = converted + skipped + failed;
  const parts = [`${count(done)} of ${plural(found, "file")}${discovering ? " found so far" : ""}`];
  if (skipped) parts.push(`${count(skipped)} were converted before`);
  if (failed) parts.push(`${count(failed)} failed`);
  if (files_per_minute) parts.push(`${count(Math.round(10 * files_per_minute) / 10)} files a minute`);
  if (expected_end) {
    const left = (new Date(expected_end) - Date.now()) / 1000;
    parts.push(`done at about ${moment(new Date(expected_end))} (in ${duration(Math.max(1, left))})`);
  }
  return parts.join(", ");
}

function aboutList(listed, documents) {
  if (listed >= documents) return "";
  return `${count(listed)} of ${plural(documents, "document")} are listed: of those that are ready, and of those that failed, the latest`;
}

function aboutCalls({ calls, max_calls }) {
  if (!calls && max_calls === null) return "";
  return max_calls === null
    ? `${plural(calls, "billed call")}`
    : `${count(calls)} of ${plural(max_calls, "billed call")} spent`;
}

new RunPage().start();
