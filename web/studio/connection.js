// What the page says of its connection, and the sign-in where the server wants to know who is there.

const WORDS = {
  connecting: "Connecting…",
  live: "Live",
  offline: "Offline. Trying again…",
  "signed-out": "Signed out",
};

export class Connection {
  #pill = document.querySelector("#connection");
  #tryNow = document.querySelector("#try-now");
  #signOut = document.querySelector("#sign-out");
  #sheet = document.querySelector("#sign-in");

  /** `api` is asked for when it is needed. `onLeave` is called when what is shown may be another person's. */
  constructor(api, onLeave) {
    const [form] = this.#sheet.getElementsByTagName("form");
    this.#tryNow.addEventListener("click", () => api().hurry());
    this.#signOut.addEventListener("click", () => {
      onLeave();
      api().signOut();
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      onLeave();
      api().signIn(form.elements.token.value);
      form.reset();
    });
  }

  show(state, { reason = "", isSignedIn }) {
    if (this.#pill.dataset.state !== state || this.#pill.textContent !== WORDS[state]) {
      this.#pill.dataset.state = state;
      this.#pill.textContent = WORDS[state];
    }
    this.#tryNow.hidden = state !== "offline";
    this.#signOut.hidden = !isSignedIn || state === "signed-out";
    this.#showSignIn(state === "signed-out", reason);
  }

  #showSignIn(isShown, reason) {
    const wasShown = !this.#sheet.hidden;
    this.#sheet.hidden = !isShown;
    if (!isShown) return;
    this.#sheet.querySelector("#sign-in-reason").textContent = reason;
    if (!wasShown && document.activeElement === document.body) this.#sheet.querySelector("input").focus();
  }
}
