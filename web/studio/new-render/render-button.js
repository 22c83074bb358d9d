// The button that starts the render. It stays focusable while it can't be used.

import { byId, create, setText } from "../dom.js";
import * as format from "../format.js";

export class RenderButton {
  #button = byId("render", HTMLButtonElement);
  #label = create("span");
  #countdown = create("span", "countdown");
  #isBusy = false;
  #wait = 0;

  constructor() {
    this.#countdown.ariaHidden = "true"; // the quota, which describes the button, says when it can be used
    this.#button.replaceChildren(this.#label, this.#countdown);
    this.#update();
  }

  get isBusy() {
    return this.#isBusy;
  }

  set isBusy(value) {
    this.#isBusy = value;
    this.#update();
  }

  get isWaiting() {
    return this.#wait > 0;
  }

  /** @param {number} seconds Until it can be used again; 0 for now. */
  set wait(seconds) {
    this.#wait = seconds;
    this.#update();
  }

  focus() {
    this.#button.focus();
  }

  #update() {
    this.#button.ariaBusy = this.#isBusy ? "true" : null;
    this.#button.ariaDisabled = this.isWaiting ? "true" : null;
    setText(this.#label, this.#isBusy ? "Starting…" : "Render");
    setText(this.#countdown, this.isWaiting ? format.countdown(this.#wait) : "");
  }
}
