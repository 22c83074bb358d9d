// The form for the composition TextAnimation, with its preview.

import { bindSwatch } from "../colors.js";
import { byId } from "../dom.js";
import { Notes } from "../fields/frames.js";
import * as format from "../format.js";
import { play, setShape } from "../preview.js";

/** @import { AnimationProps, RenderLimits, StartInput } from "../../types.d.ts" */

const DEFAULT_FPS = 30; // until the limits are read
const PREVIEW_DELAY_MS = 400; // after the last change
const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");

export class AnimationForm {
  element = byId("animation-fields", HTMLElement);
  #fps = DEFAULT_FPS;
  #size = "1280×720"; // as in studio.css
  #text = byId("text", HTMLTextAreaElement);
  #color = byId("color", HTMLInputElement);
  #backgroundColor = byId("backgroundColor", HTMLInputElement);
  #fontFamily = byId("fontFamily", HTMLInputElement);
  #fontSize = byId("fontSize", HTMLInputElement);
  #duration = byId("duration", HTMLInputElement);
  #previewPanel = byId("animation-preview", HTMLElement);
  #preview = byId("preview", HTMLElement);
  #facts = byId("preview-facts", HTMLElement);
  #notes = new Map(findFields(this.element).map((field) => [field.dataset.field, notesOf(field)]));
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #previewTimer;

  constructor() {
    for (const input of [this.#color, this.#backgroundColor]) bindSwatch(byId(`${input.id}-swatch`, HTMLInputElement), input);
    this.element.addEventListener("input", () => this.#onInput());
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

  /**
   * Draw the preview for a video of this size. A running animation starts again if the size differs.
   * @param {{ width: number, height: number }} size In pixels.
   */
  setSize({ width, height }) {
    const size = `${width}×${height}`;
    if (size === this.#size) return;
    this.#size = size;
    setShape(this.#preview, { width, height });
    if (!this.element.hidden) this.#showPreview({ animated: this.#preview.dataset.style !== undefined });
  }

  /** @param {boolean} isShown */
  toggle(isShown) {
    if (this.element.hidden !== isShown) return;
    this.element.hidden = this.#previewPanel.hidden = !isShown;
    if (isShown) this.#showPreview({ animated: false });
  }

  /** @returns {StartInput} */
  get input() {
    return { animationProps: this.#props };
  }

  /**
   * Show a problem at its field. Return whether there is one.
   * @param {string[]} path From the props.
   * @param {string} message
   */
  showProblem([name], message) {
    this.#notes.get(name)?.show(message);
    return this.#notes.has(name);
  }

  /** @returns {AnimationProps} */
  get #props() {
    const style = /** @type {HTMLInputElement} */ (this.element.querySelector("[name=style]:checked"));
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

  #onInput() {
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
    const { style, durationInFrames } = this.#props;
    this.#facts.textContent = `${format.style(style)} · ${duration} · ${durationInFrames} frames`;
  }

  /** @param {{ animated: boolean }} options */
  #showPreview({ animated }) {
    const props = this.#props;
    play(this.#preview, props, { animated });
    this.#preview.ariaLabel = `Preview of ${format.quoted(props.text)}`;
  }
}

/** @param {HTMLElement} element */
function findFields(element) {
  return [.../** @type {NodeListOf<HTMLElement>} */ (element.querySelectorAll("[data-field]"))];
}

/** @param {HTMLElement} field */
function notesOf(field) {
  const owner = /** @type {HTMLElement} */ (field.querySelector("[aria-describedby]") ?? field);
  return new Notes(owner, field, field.querySelector(".problem") ?? undefined);
}
