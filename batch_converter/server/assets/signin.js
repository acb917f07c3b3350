// The form of a service that asks who one is.

export class SignIn {
  #api;
  #section;
  #form;
  #message;
  #onSignedIn;
  #waiting = [];

  /** @param onSignedIn called when the service has let this browser in */
  constructor(api, section, onSignedIn) {
    this.#api = api;
    this.#section = section;
    this.#form = section.querySelector("form");
    this.#message = section.querySelector(".refusal");
    this.#onSignedIn = onSignedIn;
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
  }

  get open() {
    return !this.#section.hidden;
  }

  show() {
    if (this.open) return;
    this.#section.hidden = false;
    this.#form.elements.client_id.focus();
  }

  /** Resolves when somebody is signed in. */
  wait() {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Closes the form: this browser is signed in. */
  done() {
    this.#section.hidden = true;
    this.#message.textContent = "";
    this.#form.reset();
    this.#waiting.splice(0).forEach((resolve) => resolve());
    this.#onSignedIn();
  }

  async #submit() {
    const { client_id, client_secret } = this.#form.elements;
    this.#message.textContent = "";
    try {
      await this.#api.signIn(client_id.value, client_secret.value);
      this.done();
    } catch (error) {
      this.#message.textContent = reasonOf(error);
      client_secret.value = "";
      client_secret.focus();
    }
  }
}

function reasonOf(error) {
  if (error.status === 401) return "This client ID and secret do not belong together.";
  if (error.status === 429) {
    const wait = error.retryAfterS ? ` Try again in ${Math.ceil(error.retryAfterS)} seconds.` : "";
    return `There were too many tries.${wait}`;
  }
  return error.message;
}
