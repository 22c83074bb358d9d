// The form for a new render, with its preview. The server validates the input.

import { byId } from "./dom.js";
import * as format from "./format.js";
import { play } from "./preview.js";

/** @import { AnimationProps, MutationError, Problem, RenderLimits } from "../types.d.ts" */

const DEFAULT_FPS = 30; // until the limits are read
const PREVIEW_DELAY_MS = 400; // after the last change
const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");

export class Form {
  #fps = DEFAULT_FPS;
  #form = byId("new-render", HTMLFormElement);
  #text = byId("text", HTMLTextAreaElement);
  #color = byId("color", HTMLInputElement);
  #backgroundColor = byId("backgroundColor", HTMLInputElement);
  #fontFamily = byId("fontFamily", HTMLInputElement);
  #fontSize = byId("fontSize", HTMLInputElement);
  #duration = byId("duration", HTMLInputElement);
  #preview = byId("preview", HTMLElement);
  #facts = byId("preview-facts", HTMLElement);
  #error = byId("form-error", HTMLElement);
  #button = byId("render", HTMLButtonElement);
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #previewTimer;

  /**
   * `start` starts a render. It returns the error as `{ message, problems }`, or undefined if the render was started.
   * @param {(props: AnimationProps) => Promise<MutationError | undefined>} start
   */
  constructor(start) {
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit(start);
    });
    this.#form.addEventListener("input", (event) => this.#onInput(event.target));
    byId("play-preview", HTMLButtonElement).addEventListener("click", () => this.#showPreview({ animated: true }));
    this.#updateLabels();
    this.#showPreview({ animated: !reducedMotion.matches });
  }

  /**
   * Limit the controls to the values that the server accepts.
   * @param {RenderLimits} limits
   */
  setLimits(limits) {
    this.#fps = limits.fps;
    byId("text-hint", HTMLElement).textContent = `up to ${limits.maxTextLength} characters`;
    this.#fontSize.min = String(limits.minFontSize);
    this.#fontSize.max = String(limits.maxFontSize);
    this.#duration.max = String(limits.maxDurationSeconds);
    this.#updateLabels();
  }

  /** @returns {AnimationProps} */
  get props() {
    const style = /** @type {RadioNodeList} */ (this.#form.elements.namedItem("style"));
    return {
      text: this.#text.value,
      style: style.value,
      fontFamily: this.#fontFamily.value,
      fontSize: Number(this.#fontSize.value),
      color: this.#color.value,
      backgroundColor: this.#backgroundColor.value.trim() || null,
      durationInFrames: Math.round(Number(this.#duration.value) * this.#fps),
      fps: this.#fps,
    };
  }

  /** @param {(props: AnimationProps) => Promise<MutationError | undefined>} start */
  async #submit(start) {
    if (this.#button.ariaBusy === "true") return;
    this.#button.ariaBusy = "true";
    this.#button.textContent = "Starting…";
    this.#showError("");
    try {
      this.#showProblems((await start(this.props)) ?? {});
    } catch (error) {
      this.#showProblems(/** @type {Error} */ (error));
    }
    this.#button.ariaBusy = null;
    this.#button.textContent = "Render";
  }

  /**
   * Show each problem at its field and focus the first such field. Show `message` unless all problems have a field.
   * @param {{ message?: string, problems?: Problem[] }} error
   */
  #showProblems({ message = "", problems = [] }) {
    const shown = new Set();
    for (const field of /** @type {NodeListOf<HTMLElement>} */ (this.#form.querySelectorAll("[data-field]"))) {
      const ofField = problems.filter((problem) => problem.field === field.dataset.field);
      const place = field.querySelector(".problem");
      const input = field.querySelector("[aria-describedby]");
      if (!place || !input) continue;
      place.textContent = ofField.map((problem) => problem.message).join(" ");
      input.ariaInvalid = ofField.length > 0 ? "true" : null;
      for (const problem of ofField) shown.add(problem);
    }
    /** @type {HTMLElement | null} */ (this.#form.querySelector("[aria-invalid=true]"))?.focus();
    const areAllShown = problems.length > 0 && problems.every((problem) => shown.has(problem));
    this.#showError(areAllShown ? "" : message);
  }

  /** @param {string} message */
  #showError(message) {
    this.#error.hidden = message === "";
    this.#error.textContent = message;
  }

  /** @param {EventTarget | null} target */
  #onInput(target) {
    for (const input of [this.#color, this.#backgroundColor]) {
      const swatch = byId(`${input.id}-swatch`, HTMLInputElement);
      if (target === swatch) input.value = swatch.value;
      const hex = toHex(input.value);
      if (hex) swatch.value = hex;
    }
    this.#updateLabels();
    clearTimeout(this.#previewTimer);
    this.#showPreview({ animated: false });
    if (reducedMotion.matches) return;
    this.#previewTimer = setTimeout(() => this.#showPreview({ animated: true }), PREVIEW_DELAY_MS);
  }

  #updateLabels() {
    const duration = format.seconds(Number(this.#duration.value));
    byId("fontSize-value", HTMLElement).textContent = `${this.#fontSize.value} px`;
    byId("duration-value", HTMLElement).textContent = duration;
    this.#fontSize.setAttribute("aria-valuetext", `${this.#fontSize.value} pixels`);
    this.#duration.setAttribute("aria-valuetext", `${this.#duration.value} seconds`);
    const { style, durationInFrames } = this.props;
    this.#facts.textContent = `${format.style(style)} · ${duration} · ${durationInFrames} frames`;
  }

  /** @param {{ animated: boolean }} options */
  #showPreview({ animated }) {
    const { props } = this;
    play(this.#preview, props, { animated });
    this.#preview.ariaLabel = `Preview of ${format.name({ animationProps: props })}`;
  }
}

/**
 * Return the colour as `#rrggbb`, the only notation that `<input type="color">` accepts. Undefined if it is not a CSS
 * colour or cannot be written in this notation.
 * @param {string} color
 */
function toHex(color) {
  if (!CSS.supports("color", color)) return undefined;
  const context = document.createElement("canvas").getContext("2d");
  if (!context) return undefined;
  context.fillStyle = color;
  return /^#[0-9a-f]{6}$/.test(context.fillStyle) ? context.fillStyle : undefined;
}
