// How many renders are left, and when there are more.

import * as words from "./words.js";

const MOST_DOTS = 10;

export class Quota {
  #element;
  #quota;
  #onReset;

  /** `onReset` is called when the window of the last quota shown has ended. */
  constructor(element, onReset) {
    this.#element = element;
    this.#onReset = onReset;
  }

  show(quota) {
    this.#quota = quota;
    const { limit, remaining } = quota;
    const left = document.createElement("p");
    left.className = "left";
    left.append(`${remaining} of ${words.count(limit, "render", "renders")} left`);
    if (limit <= MOST_DOTS) left.append(dots(limit, remaining));
    const reset = document.createElement("p");
    reset.className = "hint";
    this.#element.replaceChildren(left, reset);
    this.#element.classList.toggle("used-up", remaining === 0);
    this.tick();
  }

  tick() {
    if (!this.#quota) return;
    const { limit, remaining, resetsAt } = this.#quota;
    if (Date.parse(resetsAt) <= Date.now()) {
      this.#quota = undefined;
      this.#onReset();
      return;
    }
    const when = `${words.time(resetsAt)}, in ${words.timeUntil(resetsAt)}`;
    const text = remaining === limit ? `Resets at ${when}` : `All ${limit} again at ${when}`;
    const reset = this.#element.lastElementChild;
    if (reset.textContent !== text) reset.textContent = text;
  }
}

function dots(limit, remaining) {
  const row = document.createElement("span");
  row.className = "dots";
  row.ariaHidden = "true";
  for (let index = 0; index < limit; index++) {
    const dot = document.createElement("span");
    dot.className = index < remaining ? "dot" : "dot used";
    row.append(dot);
  }
  return row;
}
