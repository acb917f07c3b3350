// Pages that are opened from the disk: browsers start no worker there, so the search runs in a
// frame of its own. Elsewhere this does nothing.
if (location.protocol === "file:") {
  // Later, and a copy, as between a page and its worker.
  const deliver = (given, receiver) => {
    const data = structuredClone(given);
    setTimeout(() => receiver?.onmessage?.({ data }));
  };

  window.Worker = class {
    constructor(address) {
      this.waiting = []; // what was posted before the script was there
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      this.frame.addEventListener("load", () => this.load(new URL(address, location.href)), {
        once: true,
      });
      document.body.append(this.frame);
    }

    load(address) {
      const scope = this.frame.contentWindow;
      scope.postMessage = (data) => deliver(data, this);
      const script = scope.document.createElement("script");
      script.src = address.href;
      script.onerror = (event) => this.onerror?.(event);
      script.onload = () => {
        const { waiting } = this;
        this.waiting = null;
        waiting.forEach((data) => this.postMessage(data));
      };
      scope.document.head.append(script);
    }

    postMessage(data) {
      if (this.waiting) this.waiting.push(data);
      else deliver(data, this.frame.contentWindow);
    }

    terminate() {
      this.frame.remove();
    }
  };
}
