// The number of renders left, and the time at which the quota resets.
//
// The server's clock and this device's can differ, so the time left is counted from the server's `resetsInSeconds`.

import { create, setText } from "./dom.js";
import * as format from "./format.js";

/** @import { RenderQuota } from "../types.d.ts" */

const MAX_DOTS = 10;
const MAX_SKEW_MS = 60_000; // between the clocks; with more, times of day are not shown

export class Quota {
  #element;
  #onReset;
  #onWait;
  #left = create("p", "quota-remaining");
  #reset = create("p", "hint");
  /** @type {RenderQuota | undefined} */
  #quota;
  #deadline = 0; // of the window, on the clock of performance.now()

  /**
   * `onReset` is called when the window of the shown quota has ended. `onWait` receives the seconds until the next render
   * can be started, 0 if one can be started now.
   * @param {HTMLElement} element
   * @param {object} options
   * @param {() => void} options.onReset
   * @param {(seconds: number) => void} options.onWait
   */
  constructor(element, { onReset, onWait }) {
    this.#element = element;
    this.#onReset = onReset;
    this.#onWait = onWait;
    this.#left.id = "quota-left"; // these describe the button
    this.#reset.id = "quota-reset";
    this.#element.append(this.#left, this.#reset);
    document.addEventListener("visibilitychange", () => this.#onVisible());
  }

  get #isExhausted() {
    return this.#quota?.remaining === 0;
  }

  /** The sentences for a user whose quota is used up. */
  get sentence() {
    return `${this.#usedUp} ${this.#more(format.duration(this.#secondsLeft))}`;
  }

  /** @param {RenderQuota} quota As it was just received. */
  show(quota) {
    this.#quota = quota;
    this.#deadline = performance.now() + quota.resetsInSeconds * 1000;
    const { limit, remaining } = quota;
    if (this.#isExhausted) this.#left.replaceChildren(this.#usedUp);
    else this.#left.replaceChildren(`${remaining} of ${format.count(limit, "render", "renders")} left`, dots(limit, remaining));
    this.#element.classList.toggle("exhausted", this.#isExhausted);
    this.tick();
  }

  /** Show nothing: the quota is not known. */
  clear() {
    this.#quota = undefined;
    setText(this.#left, "");
    setText(this.#reset, "");
    this.#element.classList.remove("exhausted");
    this.#onWait(0);
  }

  /** Update the remaining time. */
  tick() {
    if (!this.#quota) return;
    const seconds = this.#secondsLeft;
    if (seconds <= 0) {
      this.clear();
      this.#onReset();
      return;
    }
    this.#onWait(this.#isExhausted ? seconds : 0);
    const wait = format.duration(seconds);
    if (this.#isExhausted) setText(this.#reset, this.#more(wait));
    else setText(this.#reset, ["Resets", this.#when && `${this.#when},`, `in ${wait}`].filter(Boolean).join(" "));
  }

  get #secondsLeft() {
    return Math.ceil((this.#deadline - performance.now()) / 1000);
  }

  get #usedUp() {
    const { limit = 0, windowSeconds = 0 } = this.#quota ?? {};
    return limit === 1
      ? `You have used the one render of ${format.thisPeriod(windowSeconds)}.`
      : `You have used all ${limit} renders of ${format.thisPeriod(windowSeconds)}.`;
  }

  /** @param {string} wait */
  #more(wait) {
    return this.#when ? `More ${this.#when} (in ${wait}).` : `More in ${wait}.`;
  }

  /** The time of the reset, such as "at 7:00 PM"; empty if this device's clock differs from the server's. */
  get #when() {
    const resetsAt = this.#quota?.resetsAt ?? "";
    const expected = Date.now() + this.#deadline - performance.now();
    return Math.abs(expected - Date.parse(resetsAt)) > MAX_SKEW_MS ? "" : format.atTime(resetsAt);
  }

  /** Timers run rarely in a hidden tab, and not at all while the device sleeps. */
  #onVisible() {
    if (document.hidden || !this.#quota) return;
    this.tick();
    if (this.#isExhausted) this.#onReset();
  }
}

/**
 * Return a row with a dot for each render of the quota; none if there are many.
 * @param {number} limit
 * @param {number} remaining
 */
function dots(limit, remaining) {
  const row = create("span", "dots");
  row.ariaHidden = "true";
  if (limit > MAX_DOTS) return row;
  for (let index = 0; index < limit; index++) row.append(create("span", index < remaining ? "dot" : "dot used"));
  return row;
}
