// The form for a new render: the composition, its props, the output, and the problems that the server found.

import { AnimationForm } from "./animation-form.js";
import { CompositionForms } from "./composition-forms.js";
import { CompositionPicker } from "./composition-picker.js";
import { byId } from "../dom.js";
import { clearProblems, InvalidField } from "../fields/frames.js";
import { OutputOptions } from "./output-options.js";

/**
 * @import {
 *   Composition, CompositionProps, MutationError, PathProblem, Problem, PropsForm, RenderLimits, StartInput,
 * } from "../../types.d.ts"
 */

const TEXT_ANIMATION = "TextAnimation"; // id of the composition that has a form of its own

export class NewRender {
  #section = byId("new-render-section", HTMLElement);
  #form = byId("new-render", HTMLFormElement);
  #error = byId("form-error", HTMLElement);
  #button = byId("render", HTMLButtonElement);
  #animation = new AnimationForm();
  #picker;
  #compositions;
  #output;
  /** @type {PropsForm} */
  #shown = this.#animation;

  /**
   * `start` starts a render. It returns the error as `{ message, problems }`, or undefined if the render was started.
   * `readProps` returns the props of a composition. `announce` receives sentences for screen readers.
   * @param {object} parts
   * @param {(input: StartInput) => Promise<MutationError | undefined>} parts.start
   * @param {(id: string) => Promise<CompositionProps>} parts.readProps
   * @param {(text: string) => void} parts.announce
   */
  constructor({ start, readProps, announce }) {
    this.#compositions = new CompositionForms(readProps, announce);
    this.#output = new OutputOptions(announce, (size) => this.#animation.setSize(size));
    this.#picker = new CompositionPicker((composition) => this.#show(composition));
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit(start);
    });
  }

  /** @param {RenderLimits} limits */
  setLimits(limits) {
    this.#animation.setLimits(limits);
  }

  /**
   * Offer these compositions. The picker is shown if there are others than TextAnimation. The props of the chosen one
   * are read again, as they may have changed.
   * @param {Composition[]} compositions
   */
  setCompositions(compositions) {
    if (!this.#picker.offer(compositions, TEXT_ANIMATION)) this.#compositions.refresh();
  }

  /** @param {Composition | undefined} composition */
  #show(composition) {
    const id = composition?.id ?? TEXT_ANIMATION;
    const isAnimation = id === TEXT_ANIMATION;
    this.#animation.toggle(isAnimation);
    if (isAnimation) this.#compositions.hide();
    else this.#compositions.show(id);
    this.#shown = isAnimation ? this.#animation : this.#compositions;
    this.#output.show(composition);
  }

  /** @param {(input: StartInput) => Promise<MutationError | undefined>} start */
  async #submit(start) {
    if (this.#button.ariaBusy === "true") return;
    this.#button.ariaBusy = "true";
    this.#button.textContent = "Starting…";
    this.#clear();
    try {
      const error = await start({ ...this.#shown.input, output: this.#output.output });
      if (error) this.#showProblems(error);
    } catch (error) {
      if (error instanceof InvalidField) error.field.showProblem([], error.message);
      else this.#showError(/** @type {Error} */ (error).message);
      this.#focusProblem();
    }
    this.#button.ariaBusy = null;
    this.#button.textContent = "Render";
  }

  #clear() {
    this.#showError("");
    clearProblems(this.#section);
  }

  /**
   * Show each problem at its field and focus the first such field. Show the others below the form.
   * @param {{ message: string, problems?: Problem[] }} error
   */
  #showProblems({ message, problems = [] }) {
    const others = problems.map(toPathProblem).filter((problem) => !this.#showAtField(problem));
    const messages = problems.length === 0 ? [message] : others.map((problem) => problem.message);
    this.#showError(messages.join("\n"));
    this.#focusProblem();
  }

  /**
   * Show a problem at its field. Return whether there is one.
   * @param {PathProblem} problem
   */
  #showAtField({ path, message }) {
    const [part, ...rest] = path.split("/").slice(1).map(unescape);
    if (part === "output") return this.#output.showProblem(rest, message);
    if (part === "animationProps") return this.#animation.showProblem(rest, message);
    if (part !== "composition") return false;
    return rest[0] === "id" ? this.#picker.showProblem(message) : this.#shown.showProblem(rest.slice(1), message);
  }

  #focusProblem() {
    const closed = /** @type {NodeListOf<HTMLDetailsElement>} */ (
      this.#section.querySelectorAll("details:has([data-invalid])")
    );
    for (const details of closed) details.open = true;
    const owner = /** @type {HTMLElement | null} */ (this.#section.querySelector("[data-invalid]"));
    owner?.focus();
  }

  /** @param {string} message Empty to hide it. */
  #showError(message) {
    this.#error.hidden = message === "";
    this.#error.textContent = message;
  }
}

/**
 * @param {Problem} problem
 * @returns {PathProblem}
 */
function toPathProblem({ field, path, message }) {
  return { path: path ?? `/animationProps/${field}`, message };
}

/**
 * Return a part of a JSON Pointer (RFC 6901, section 3) as text.
 * @param {string} part
 */
function unescape(part) {
  return part.replaceAll("~1", "/").replaceAll("~0", "~");
}
