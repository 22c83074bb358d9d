// Draws an approximation of the video with CSS: static in the list, animated in the form.
//
// It follows the renderer's rules (services/backends/text/styles.py and fitting.py) as far as CSS can express them.
// Sizes are those of the video; studio.css scales them to the width of the preview.

import { create } from "./dom.js";

/** @import { AnimationProps } from "../types.d.ts" */

const MAX_ENTRANCE_S = 1;
const ENTRANCE_SHARE = 0.6;
const TYPING_SHARE = 0.8;
const GRAPHEMES_PER_S = 12;
const MIN_FONT_SIZE = 8;
const FIT_STEPS = 12;
const BOX_SHAPE = 16 / 9; // of the class `preview-box`

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/**
 * Give a preview the shape of a video within its box, an element of the class `preview-box`.
 * @param {HTMLElement} preview
 * @param {{ width: number, height: number }} video In pixels.
 */
export function setShape(preview, { width, height }) {
  preview.style.aspectRatio = `${width} / ${height}`;
  preview.style.width = `${Math.min(1, width / height / BOX_SHAPE) * 100}%`;
  preview.style.setProperty("--video-width", String(width));
}

/**
 * Draw the text without animation into an element of the class `preview`, and return the element of the text. Values
 * are set as single CSS properties, so a colour can't contain other declarations.
 * @param {HTMLElement} preview
 * @param {AnimationProps} props
 */
export function draw(preview, { text, fontFamily, fontSize, color, backgroundColor }) {
  const element = create("div", "preview-text");
  element.dir = "auto";
  element.ariaHidden = "true";
  element.textContent = text;
  element.style.color = color;
  element.style.fontFamily = `${quoted(fontFamily)}, Inter, system-ui, sans-serif`;
  preview.style.backgroundColor = "#000"; // stays if the next line's value is not a CSS colour
  if (backgroundColor) preview.style.backgroundColor = backgroundColor;
  preview.replaceChildren(element);
  fit(preview, element, fontSize);
  return element;
}

/**
 * Draw the text, and start its animation if `animated`.
 * @param {HTMLElement} preview
 * @param {AnimationProps} props
 * @param {{ animated: boolean }} options
 */
export function play(preview, props, { animated }) {
  const element = draw(preview, props);
  delete preview.dataset.style;
  if (!animated) return;
  const duration = props.durationInFrames / props.fps;
  preview.append(create("div", "preview-progress"));
  preview.style.setProperty("--duration", `${duration}s`);
  preview.style.setProperty("--entrance", `${Math.min(MAX_ENTRANCE_S, duration * ENTRANCE_SHARE)}s`);
  if (props.style === "TYPEWRITER") type(element, props.text, duration);
  preview.dataset.style = props.style;
}

/**
 * Show the graphemes one after the other.
 * @param {HTMLElement} element
 * @param {string} text
 * @param {number} duration
 */
function type(element, text, duration) {
  const parts = [...graphemes.segment(text)].map(({ segment }) => segment);
  const typing = Math.min(parts.length / GRAPHEMES_PER_S, duration * TYPING_SHARE);
  element.replaceChildren(
    ...parts.map((part, index) => {
      const span = create("span");
      span.textContent = part;
      span.style.animationDelay = `${(typing * (index + 1)) / parts.length}s`;
      return span;
    }),
  );
}

/**
 * Reduce the font size until the text fits, as the renderer does.
 * @param {HTMLElement} preview
 * @param {HTMLElement} element
 * @param {number} fontSize
 */
function fit(preview, element, fontSize) {
  const setSize = (/** @type {number} */ size) => element.style.setProperty("--font-size", String(size));
  const fits = (/** @type {number} */ size) => {
    setSize(size);
    return element.scrollHeight <= element.clientHeight + 1 && element.scrollWidth <= element.clientWidth + 1;
  };
  if (!preview.isConnected || fits(fontSize)) return setSize(fontSize);
  let [low, high] = [MIN_FONT_SIZE, fontSize];
  for (let step = 0; step < FIT_STEPS; step++) {
    const middle = (low + high) / 2;
    if (fits(middle)) low = middle;
    else high = middle;
  }
  return setSize(low);
}

/**
 * Return a list of font families as CSS strings.
 * @param {string} families
 */
function quoted(families) {
  return families
    .split(",")
    .map((family) => `"${family.trim().replace(/["\\\n]/g, "")}"`)
    .join(", ");
}
