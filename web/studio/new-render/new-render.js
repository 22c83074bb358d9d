// The form for a new render: the composition, its props, the output, and the problems that the server found.

import { AnimationForm } from "./animation-form.js";
import { CompositionForms } from "./composition-forms.js";
import { CompositionPicker } from "./composition-picker.js";
import { addCopyAs } from "../copy-as.js";
import { byId } from "../dom.js";
import { InvalidField } from "../fields/frames.js";
import { FieldProblems } from "./field-problems.js";
import { OutputOptions } from "./output-options.js";
import { RenderButton } from "./render-button.js";

/** @import { FormRequests } from "./form-requests.js" */

/**
 * @import {
 *   Composition, FontFamily, MutationError, PathProblem, Problem, PropsForm, RenderLimits, Settings, StartInput,
 * } from "../../types.d.ts"
 */

const TEXT_ANIMATION = "TextAnimation"; // id of the composition that has a form of its own

export class NewRender {
  #section = byId("new-render-section", HTMLElement);
  #form = byId("new-render", HTMLFormElement);
  #error = byId("form-error", HTMLElement);
  #heading = byId("new-render-heading", HTMLElement);
  #button = new RenderButton();
  #onWaiting;
  #problems;
  #animation;
  #picker;
  #compositions;
  #output;
  /** @type {PropsForm} */
  #shown;

  /**
   * `start` starts a render. It returns the error as `{ message, problems }`, or undefined if the render was started.
   * `announce` receives sentences for screen readers. `onWaiting` is called when the user wants to start a render before
   * that is possible.
   * @param {object} parts
   * @param {(input: StartInput) => Promise<MutationError | undefined>} parts.start
   * @param {FormRequests} parts.requests
   * @param {(text: string) => void} parts.announce
   * @param {() => void} parts.onWaiting
   */
  constructor({ start, requests, announce, onWaiting }) {
    this.#onWaiting = onWaiting;
    this.#problems = new FieldProblems(this.#section, {
      showAtField: (problem) => this.#showAtField(problem),
      check: async () => requests.check(this.input),
    });
    this.#animation = new AnimationForm({ readLayout: (input) => requests.readLayout(input), output: () => this.#readableOutput });
    this.#shown = this.#animation;
    this.#compositions = new CompositionForms((id) => requests.readProps(id), announce);
    this.#output = new OutputOptions(announce, (size) => this.#animation.setSize(size));
    this.#picker = new CompositionPicker((composition) => this.#show(composition));
    addCopyAs(byId("copy-as", HTMLElement), () => this.input);
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit(start);
    });
    this.#section.addEventListener("input", () => this.#showError("")); // it was about the former input
    this.#section.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      this.#form.requestSubmit();
    });
  }

  /** @param {number} seconds Until the next render can be started; 0 for now. */
  set wait(seconds) {
    this.#button.wait = seconds;
  }

  /** @param {RenderLimits} limits */
  setLimits(limits) {
    this.#animation.setLimits(limits);
  }

  /** @param {FontFamily[]} families */
  setFonts(families) {
    this.#animation.setFonts(families);
  }

  /**
   * Offer these compositions. The picker is shown if there are others than TextAnimation. The props of the chosen one
   * are read again, as they may have changed.
   * @param {Composition[]} compositions
   */
  setCompositions(compositions) {
    if (!this.#picker.offer(compositions, TEXT_ANIMATION)) this.#compositions.refresh();
  }

  /**
   * Fill in the form with the settings of a render, and show it. Throws an error for the user if the server offers its
   * composition or its format no more.
   * @param {Settings} settings
   */
  async use({ compositionId, animationProps, inputProps, output }) {
    this.#picker.pick(compositionId);
    this.#clear();
    if (animationProps) this.#animation.use(animationProps);
    else await this.#compositions.use(compositionId, inputProps);
    this.#output.use(output);
    this.#section.scrollTop = 0;
    this.#section.scrollIntoView({ block: "nearest" });
    this.#heading.focus({ preventScroll: true });
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

  /** What Render sends. Throws an error whose message is a sentence for the user. */
  get input() {
    return { ...this.#shown.input, output: this.#output.output };
  }

  /** The output, undefined while its options can't be read. */
  get #readableOutput() {
    try {
      return this.#output?.output;
    } catch {
      return undefined;
    }
  }

  /** @param {(input: StartInput) => Promise<MutationError | undefined>} start */
  async #submit(start) {
    if (this.#button.isBusy) return;
    if (this.#button.isWaiting) {
      this.#onWaiting();
      return;
    }
    this.#button.isBusy = true;
    this.#clear();
    try {
      const error = await start(this.input);
      if (error) this.#showProblems(error);
    } catch (error) {
      if (error instanceof InvalidField) error.field.showProblem([], error.message);
      else this.#showError(/** @type {Error} */ (error).message);
      this.#focusProblem();
    }
    this.#button.isBusy = false;
  }

  #clear() {
    this.#showError("");
    this.#problems.clear();
  }

  /**
   * Show each problem at its field and focus the first such field. Show the others below the form.
   * @param {{ message: string, problems?: Problem[] }} error
   */
  #showProblems({ message, problems = [] }) {
    const others = this.#problems.show(problems.map(toPathProblem));
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
