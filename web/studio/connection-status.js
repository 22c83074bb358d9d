// The connection's status in the page header, and the sign-in form for servers that need a token.

import { byId } from "./dom.js";

/** @import { Api } from "./api.js" */
/** @import { ConnectionState } from "../types.d.ts" */

/** @type {Record<ConnectionState, string>} */
const LABELS = {
  connecting: "Connecting…",
  live: "Live",
  offline: "Offline. Trying again…",
  "signed-out": "Signed out",
};

export class ConnectionStatus {
  #status = byId("connection", HTMLElement);
  #tryNow = byId("try-now", HTMLButtonElement);
  #signOut = byId("sign-out", HTMLButtonElement);
  #panel = byId("sign-in", HTMLElement);
  #reason = byId("sign-in-reason", HTMLElement);
  #token = byId("token", HTMLInputElement);

  /**
   * `getApi` returns the API, which is created later. `onUserChange` is called before a sign-in or sign-out.
   * @param {() => Api | undefined} getApi
   * @param {() => void} onUserChange
   */
  constructor(getApi, onUserChange) {
    this.#tryNow.addEventListener("click", () => getApi()?.retryNow());
    this.#signOut.addEventListener("click", () => {
      onUserChange();
      getApi()?.signOut();
    });
    byId("sign-in-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      onUserChange();
      getApi()?.signIn(this.#token.value);
      this.#token.form?.reset();
    });
  }

  /**
   * Show the state, and the sign-in form if the user is signed out.
   * @param {ConnectionState} state
   * @param {{ reason?: string, isSignedIn?: boolean }} details
   */
  show(state, { reason = "", isSignedIn = false }) {
    if (this.#status.dataset.state !== state || this.#status.textContent !== LABELS[state]) {
      this.#status.dataset.state = state;
      this.#status.textContent = LABELS[state];
    }
    this.#tryNow.hidden = state !== "offline";
    this.#signOut.hidden = !isSignedIn || state === "signed-out";
    this.#showSignIn(state === "signed-out", reason);
  }

  /**
   * @param {boolean} isShown
   * @param {string} reason
   */
  #showSignIn(isShown, reason) {
    const wasShown = !this.#panel.hidden;
    this.#panel.hidden = !isShown;
    if (!isShown) return;
    this.#reason.textContent = reason;
    if (!wasShown && document.activeElement === document.body) this.#token.focus();
  }
}
