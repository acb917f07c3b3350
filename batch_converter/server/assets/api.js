// Every request of the page to its service: relative addresses, the header token, errors in words.

/** An answer that is no success, or none at all (`status` 0). */
export class ApiError extends Error {
  constructor(status, message, { code = "", retryAfterS = null, headers = null } = {}) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.retryAfterS = retryAfterS;
    this.headers = headers;
  }

  /** Whether the same request may succeed later without anybody doing anything. */
  get passing() {
    return this.status === 0 || this.status === 408 || this.status === 425 ||
      this.status === 429 || this.status >= 500;
  }
}

export class Api {
  /** @param onSignedOut called when the service asks who this is */
  constructor(onSignedOut) {
    this.session = null;
    this.onSignedOut = onSignedOut;
  }

  /** Asks the service who this browser is to it; gives also the limits and the header token. */
  async refreshSession() {
    this.session = await (await this.#send("GET", "api/session", {})).json();
    return this.session;
  }

  async signIn(clientId, clientSecret) {
    await this.#write("POST", "api/session", {
      json: { client_id: clientId, client_secret: clientSecret },
    });
    return this.refreshSession();
  }

  async signOut() {
    await this.#write("DELETE", "api/session");
  }

  documents({ offset, limit, filter, state }, signal) {
    const query = new URLSearchParams({ offset, limit });
    if (filter) query.set("filter", filter);
    if (state) query.set("state", state);
    return this.#read(`api/documents?${query}`, signal);
  }

  changes(after, signal) {
    return this.#read(`api/changes?after=${after}`, signal);
  }

  eventsUrl(after) {
    return new URL(`api/events?after=${after}`, document.baseURI).href;
  }

  pdfUrl(id) {
    return `documents/${encodeURIComponent(id)}/pdf`;
  }

  pictureUrl(id) {
    return `documents/${encodeURIComponent(id)}/picture`;
  }

  async cancel(id) {
    await this.#write("POST", `api/documents/${encodeURIComponent(id)}/cancel`);
  }

  async retry(id) {
    await this.#write("POST", `api/documents/${encodeURIComponent(id)}/retry`);
  }

  async remove(id) {
    await this.#write("DELETE", `api/documents/${encodeURIComponent(id)}`);
  }

  async bulk(action) {
    const answer = await this.#write("POST", "api/documents", { json: { action } });
    return (await answer.json()).count;
  }

  async startUpload(upload, signal) {
    return (await this.#write("POST", "api/uploads", { json: upload, signal })).json();
  }

  async uploadOffset(id, signal) {
    return (await this.#read(`api/uploads/${encodeURIComponent(id)}`, signal)).offset;
  }

  /** Sends a piece of a file; returns how much of it the service has then. */
  async sendPiece(id, offset, piece, signal) {
    const answer = await this.#write("PATCH", `api/uploads/${encodeURIComponent(id)}`, {
      body: piece,
      headers: { "Upload-Offset": String(offset), "Content-Type": "application/octet-stream" },
      signal,
    });
    return offsetOf(answer.headers) ?? offset + piece.byteLength;
  }

  async #read(path, signal) {
    return (await this.#send("GET", path, { signal })).json();
  }

  /** Writes; a token that the service has changed meanwhile (a restart) is fetched once. */
  async #write(method, path, request = {}) {
    try {
      return await this.#send(method, path, request);
    } catch (error) {
      if (error.status !== 403) throw error;
      await this.refreshSession();
      return this.#send(method, path, request);
    }
  }

  async #send(method, path, { json, body, headers = {}, signal }) {
    const sent = { ...headers };
    if (method !== "GET") sent["X-CSRF-Token"] = this.session?.csrf ?? "";
    if (json !== undefined) sent["Content-Type"] = "application/json";
    let answer;
    try {
      answer = await fetch(new URL(path, document.baseURI), {
        method,
        headers: sent,
        body: json === undefined ? body : JSON.stringify(json),
        signal,
        credentials: "same-origin",
        redirect: "error",
      });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new ApiError(0, "The service does not answer.");
    }
    if (answer.ok) return answer;
    const refusal = await refusalOf(answer);
    if (answer.status === 401 && path !== "api/session") this.onSignedOut();
    throw refusal;
  }
}

/** The offset that an answer names, or null. */
export function offsetOf(headers) {
  const value = headers?.get("Upload-Offset");
  return value === null || value === undefined ? null : Number(value);
}

/** What went wrong, from ProblemDetails where the answer has them. */
async function refusalOf(answer) {
  let problem = {};
  try {
    problem = await answer.json();
  } catch {
    // A proxy in between answers in HTML: its status has to say it all.
  }
  const message = problem.detail || problem.title || `The service answered ${answer.status}.`;
  const wait = Number.parseFloat(answer.headers.get("Retry-After") ?? "");
  return new ApiError(answer.status, String(message), {
    code: String(problem.code ?? ""),
    retryAfterS: Number.isFinite(wait) ? wait : null,
    headers: answer.headers,
  });
}
