// The problems that the server found in the input, at their fields.
//
// A problem disappears with the next change of its field, and when the server does not find it any more after a change of
// another field, such as one of two options that exclude each other.

import { clearProblems } from "../fields/frames.js";

/** @import { PathProblem } from "../../types.d.ts" */

const DELAY_MS = 400; // after the last change

export class FieldProblems {
  #section;
  #showAtField;
  #check;
  /** @type {PathProblem[]} */
  #shown = [];
  #changes = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * `showAtField` shows a problem at its field and returns whether there is one. `check` returns the paths of the problems
   * of the present input; it throws an error if this input can't be read or checked.
   * @param {HTMLElement} section
   * @param {object} options
   * @param {(problem: PathProblem) => boolean} options.showAtField
   * @param {() => Promise<string[]>} options.check
   */
  constructor(section, { showAtField, check }) {
    this.#section = section;
    this.#showAtField = showAtField;
    this.#check = check;
    section.addEventListener("input", () => this.#checkLater());
  }

  /**
   * Show each problem at its field. Return those without a field.
   * @param {PathProblem[]} problems
   */
  show(problems) {
    this.#shown = problems.filter((problem) => this.#showAtField(problem));
    return problems.filter((problem) => !this.#shown.includes(problem));
  }

  clear() {
    this.#changes += 1;
    clearTimeout(this.#timer);
    this.#shown = [];
    clearProblems(this.#section);
  }

  /** The problems that are still at their fields. */
  get #visible() {
    const texts = [...this.#section.querySelectorAll(".problem")].map(({ textContent }) => textContent).join("\n");
    return this.#shown.filter(({ message }) => texts.includes(message));
  }

  #checkLater() {
    this.#changes += 1;
    clearTimeout(this.#timer);
    if (this.#visible.length > 0) this.#timer = setTimeout(() => this.#recheck(), DELAY_MS);
  }

  async #recheck() {
    const changes = this.#changes;
    const paths = await this.#check().catch(() => undefined);
    if (!paths || changes !== this.#changes) return;
    const before = this.#visible;
    const left = before.filter(({ path }) => paths.includes(path));
    if (left.length === before.length) return;
    clearProblems(this.#section);
    this.show(left);
  }
}
