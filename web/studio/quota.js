// The number of renders left, and the time at which the quota resets.

import { create, setText } from "./dom.js";
import * as format from "./format.js";

/** @import { RenderQuota } from "../types.d.ts" */

const MAX_DOTS = 10;

export class Quota {
  #element;
  #onReset;
  #reset = create("p", "hint");
  /** @type {RenderQuota | undefined} */
  #quota;

  /**
   * `onReset` is called when the window of the shown quota has ended.
   * @param {HTMLElement} element
   * @param {() => void} onReset
   */
  constructor(element, onReset) {
    this.#element = element;
    this.#onReset = onReset;
  }

  /** @param {RenderQuota} quota */
  show(quota) {
    this.#quota = quota;
    const { limit, remaining } = quota;
    const left = create("p", "quota-remaining");
    left.append(`${remaining} of ${format.count(limit, "render", "renders")} left`);
    if (limit <= MAX_DOTS) left.append(dots(limit, remaining));
    this.#element.replaceChildren(left, this.#reset);
    this.#element.classList.toggle("exhausted", remaining === 0);
    this.tick();
  }

  /** Update the remaining time. */
  tick() {
    if (!this.#quota) return;
    const { resetsAt } = this.#quota;
    if (Date.parse(resetsAt) <= Date.now()) {
      this.#quota = undefined;
      this.#onReset();
      return;
    }
    setText(this.#reset, `Resets at ${format.time(resetsAt)}, in ${format.timeUntil(resetsAt)}`);
  }
}

/**
 * Return a row with a dot for each render of the quota.
 * @param {number} limit
 * @param {number} remaining
 */
function dots(limit, remaining) {
  const row = create("span", "dots");
  row.ariaHidden = "true";
  for (let index = 0; index < limit; index++) row.append(create("span", index < remaining ? "dot" : "dot used"));
  return row;
}
