// A button that opens a list of further buttons.

import { create } from "./dom.js";

export class Menu {
  element = create("details", "menu");
  #summary = create("summary", "button secondary");
  #panel = create("div", "menu-panel");

  /**
   * @param {string} label
   * @param {string} hiddenName Follows the label for screen readers, to distinguish equal menus.
   */
  constructor(label, hiddenName = "") {
    this.element.name = "menu"; // the browser closes the others
    this.#summary.append(label);
    if (hiddenName) this.#summary.append(Object.assign(create("span", "visually-hidden"), { textContent: ` ${hiddenName}` }));
    this.element.append(this.#summary, this.#panel);
    this.element.addEventListener("keydown", (event) => this.#onKey(event));
    this.element.addEventListener("toggle", () => this.#onToggle());
    // Before the item's action, so that a dialog returns the focus to a visible element.
    this.#panel.addEventListener("click", () => this.#close(), { capture: true });
  }

  /** @param {HTMLElement[]} items Buttons or links. */
  setItems(...items) {
    this.#panel.replaceChildren(...items);
  }

  get isOpen() {
    return this.element.open;
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    if (event.key !== "Escape" || !this.isOpen) return;
    event.stopPropagation();
    this.#close();
  }

  /** Close it, and return the focus to its button. */
  #close() {
    const hadFocus = this.#panel.contains(document.activeElement);
    this.element.open = false;
    if (hadFocus) this.#summary.focus();
  }

  /** Close it when the user clicks or moves the focus elsewhere. Open it upwards or leftwards where it would not fit. */
  #onToggle() {
    if (!this.isOpen) return;
    this.element.classList.remove("upwards", "leftwards");
    const { bottom, right } = this.#panel.getBoundingClientRect();
    this.element.classList.toggle("upwards", bottom > innerHeight);
    this.element.classList.toggle("leftwards", right > document.documentElement.clientWidth);
    const watch = new AbortController();
    const closeOutside = (/** @type {Event} */ { target }) => {
      if (this.isOpen && target instanceof Node && this.element.contains(target)) return;
      this.element.open = false;
      watch.abort();
    };
    document.addEventListener("pointerdown", closeOutside, { signal: watch.signal });
    document.addEventListener("focusin", closeOutside, { signal: watch.signal });
  }
}
