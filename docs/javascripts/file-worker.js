// Lets the search work where a page is opened from disk: browsers start no worker for file: addresses, so this runs the
// worker's script in a hidden frame and passes the messages on.
(() => {
  if (location.protocol !== "file:") return;
  window.Worker = class extends EventTarget {
    constructor(address) {
      super();
      this.waiting = [];
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      // As with a worker, a message arrives later and as a copy.
      this.frame.reply = (message) => {
        const data = structuredClone(message);
        setTimeout(() => {
          const event = new MessageEvent("message", { data });
          this.dispatchEvent(event);
          if (this.onmessage) this.onmessage(event);
        });
      };
      this.frame.onload = () => {
        this.ready = true;
        this.waiting.splice(0).forEach((data) => this.postMessage(data));
      };
      this.frame.srcdoc =
        "<script>postMessage = (data) => frameElement.reply(data)</" +
        `script><script src="${new URL(address, location.href)}"></` + "script>";
      const attach = () => document.body.append(this.frame);
      document.body ? attach() : addEventListener("DOMContentLoaded", attach);
    }
    postMessage(message) {
      if (!this.ready) return this.waiting.push(message);
      const data = structuredClone(message);
      setTimeout(() => this.frame.contentWindow?.dispatchEvent(new MessageEvent("message", { data })));
    }
    terminate() {
      this.frame.remove();
    }
  };
})();
