// The form for the composition TextAnimation, with its preview.

import { bindSwatch } from "../colors.js";
import { byId, setText } from "../dom.js";
import { Notes } from "../fields/frames.js";
import * as format from "../format.js";
import { useFonts } from "../layout-drawing.js";
import { play, setShape } from "../preview.js";
import { FontPicker } from "./font-picker.js";
import { LayoutReader } from "./layout-reader.js";

/** @import { AnimationProps, FontFamily, RenderLimits, StartInput, TextLayout } from "../../types.d.ts" */

const DEFAULT_FPS = 30; // until the limits are read
const PREVIEW_DELAY_MS = 400; // after the last change
const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");

export class AnimationForm {
  element = byId("animation-fields", HTMLElement);
  #fps = DEFAULT_FPS;
  #shown = ""; // the size and output that the preview is for
  #draws = 0;
  #isAnimated = false; // whether the newest drawing is, also while its layout is read
  #layouts;
  #output;
  #text = byId("text", HTMLTextAreaElement);
  #color = byId("color", HTMLInputElement);
  #backgroundColor = byId("backgroundColor", HTMLInputElement);
  #font = new FontPicker();
  #fontSize = byId("fontSize", HTMLInputElement);
  #duration = byId("duration", HTMLInputElement);
  #previewPanel = byId("animation-preview", HTMLElement);
  #preview = byId("preview", HTMLElement);
  #facts = byId("preview-facts", HTMLElement);
  #warnings = byId("preview-warnings", HTMLElement);
  /** @type {Partial<AnimationProps>} */
  #exact = {}; // values of a render that the sliders have no step for, until the user moves them
  #notes = new Map(findFields(this.element).map((field) => [field.dataset.field, notesOf(field)]));
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #previewTimer;

  /**
   * `readLayout` returns how the renderer lays out a text, null if it can't; `output` returns the chosen output.
   * @param {object} parts
   * @param {(input: StartInput) => Promise<TextLayout | null>} parts.readLayout
   * @param {() => StartInput["output"]} parts.output
   */
  constructor({ readLayout, output }) {
    this.#layouts = new LayoutReader(readLayout);
    this.#output = output;
    for (const input of [this.#color, this.#backgroundColor]) bindSwatch(byId(`${input.id}-swatch`, HTMLInputElement), input);
    this.#fontSize.addEventListener("input", () => delete this.#exact.fontSize);
    this.#duration.addEventListener("input", () => delete this.#exact.durationInFrames);
    this.element.addEventListener("input", () => this.#onInput());
    byId("play-preview", HTMLButtonElement).addEventListener("click", () => this.#showPreview({ animated: true }));
    this.#updateLabels();
    play(this.#preview, this.#props, { animated: false, layout: null }); // until the layout is read
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
    this.#layouts.reset();
    this.#showPreview({ animated: this.#isAnimated });
  }

  /** @param {FontFamily[]} families */
  setFonts(families) {
    this.#font.setFamilies(families);
  }

  /**
   * Draw the preview for a video of this size, and for the chosen output. A running animation starts again if they differ.
   * @param {{ width: number, height: number }} size In pixels.
   */
  setSize({ width, height }) {
    const shown = JSON.stringify([width, height, this.#output()]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    setShape(this.#preview, { width, height });
    if (!this.element.hidden) this.#showPreview({ animated: this.#isAnimated });
  }

  /**
   * Fill in the form.
   * @param {AnimationProps} props
   */
  use({ text, style, color, backgroundColor, fontSize, durationInFrames, ...font }) {
    this.#text.value = text;
    /** @type {HTMLInputElement} */ (this.element.querySelector(`[name=style][value="${style}"]`)).checked = true;
    this.#color.value = color;
    this.#backgroundColor.value = backgroundColor ?? "";
    this.#font.props = font;
    this.#fontSize.value = String(fontSize);
    this.#duration.value = String(durationInFrames / this.#fps);
    this.#exact = { fontSize, durationInFrames };
    for (const input of [this.#color, this.#backgroundColor]) input.dispatchEvent(new Event("input", { bubbles: true }));
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
      ...this.#font.props,
      fontSize: Number(this.#fontSize.value),
      color: this.#color.value,
      backgroundColor: this.#backgroundColor.value.trim() || null,
      durationInFrames: Math.round(Number(this.#duration.value) * this.#fps),
      fps: this.#fps,
      ...this.#exact,
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
    const { style, fontSize, durationInFrames, fps } = this.#props;
    const duration = format.seconds(durationInFrames / fps);
    byId("fontSize-value", HTMLElement).textContent = `${fontSize} px`;
    byId("duration-value", HTMLElement).textContent = duration;
    this.#fontSize.setAttribute("aria-valuetext", `${fontSize} pixels`);
    this.#duration.setAttribute("aria-valuetext", duration.replace(/s$/, "seconds"));
    this.#facts.textContent = `${format.style(style)} · ${duration} · ${durationInFrames} frames`;
  }

  /**
   * Draw the preview when its layout is known, unless it is drawn again before.
   * @param {{ animated: boolean }} options
   */
  async #showPreview({ animated }) {
    const draw = ++this.#draws;
    this.#isAnimated = animated;
    const props = this.#props;
    this.#preview.ariaLabel = `Preview of ${format.quoted(props.text)}`;
    const layout = await this.#layouts.get({ animationProps: props, output: this.#output() });
    if (draw !== this.#draws) return;
    if (layout) await useFonts(layout);
    if (draw !== this.#draws) return;
    setText(this.#warnings, layout?.warnings.join(" ") ?? "");
    play(this.#preview, props, { animated, layout });
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
