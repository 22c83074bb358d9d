// Draws the text of a video: as the renderer laid it out, or, without a layout, approximately with CSS.
//
// Sizes are those of the video; studio.css scales them to the width of the preview.

import { animate } from "./animation.js";
import { create } from "./dom.js";
import { drawLayout, graphemesOf } from "./layout-drawing.js";

/** @import { AnimationProps, TextLayout } from "../types.d.ts" */

const MIN_FONT_SIZE = 8;
const FIT_STEPS = 12;
const BOX_SHAPE = 16 / 9; // of the class `preview-box`
const DEFAULT_WIDTH = 1280; // as in studio.css

const segmenter = new Intl.Segmenter(undefined, { granularity: "grapheme" });

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
 * Draw an approximation into an element of the class `preview`, and return the element of the text. Values are set as
 * single CSS properties, so a colour can't contain other declarations.
 * @param {HTMLElement} preview
 * @param {AnimationProps} props
 */
export function draw(preview, { text, fontFamily, fontSize, color, backgroundColor }) {
  setBackground(preview, backgroundColor);
  const element = create("div", "preview-text");
  element.dir = "auto";
  element.ariaHidden = "true";
  element.textContent = text;
  element.style.color = color;
  element.style.fontFamily = `${quoted(fontFamily)}, Inter, system-ui, sans-serif`;
  preview.replaceChildren(element);
  fit(preview, element, fontSize);
  return element;
}

/**
 * Draw the text, and start its animation if `animated`. Without a layout, it is an approximation. The fonts of the
 * layout must be loaded.
 * @param {HTMLElement} preview
 * @param {AnimationProps} props
 * @param {{ animated: boolean, layout: TextLayout | null }} options
 */
export function play(preview, props, { animated, layout }) {
  delete preview.dataset.style;
  const player = layout ? playLayout(preview, props, layout) : playApproximation(preview, props);
  if (!animated) return;
  preview.append(create("div", "preview-progress"));
  preview.style.setProperty("--duration", `${player.duration}s`);
  player.start();
  preview.dataset.style = props.style;
}

/**
 * @param {HTMLElement} preview
 * @param {AnimationProps} props
 * @param {TextLayout} layout
 */
function playLayout(preview, props, layout) {
  const { drawing, text, lines } = drawLayout(props, layout);
  setBackground(preview, props.backgroundColor);
  preview.replaceChildren(drawing);
  const timeline = { ...layout, frames: layout.durationInFrames };
  const start = () => {
    const parts = props.style === "TYPEWRITER" ? graphemesOf(lines, layout) : [];
    animate(text, props.style, timeline, { parts, length: (pixels) => `${pixels}px` });
  };
  return { duration: timeline.frames / timeline.fps, start };
}

/**
 * @param {HTMLElement} preview
 * @param {AnimationProps} props
 */
function playApproximation(preview, props) {
  const element = draw(preview, props);
  const width = Number(preview.style.getPropertyValue("--video-width")) || DEFAULT_WIDTH;
  const graphemes = [...segmenter.segment(props.text)];
  const timeline = {
    frames: props.durationInFrames,
    fps: props.fps,
    height: (width * preview.clientHeight) / preview.clientWidth,
    graphemes: graphemes.length,
  };
  const start = () => {
    const parts = graphemes.map(({ segment }, index) => ({ element: create("span"), index, segment }));
    for (const part of parts) part.element.textContent = part.segment;
    if (props.style === "TYPEWRITER") element.replaceChildren(...parts.map((part) => part.element));
    animate(element, props.style, timeline, { parts, length: (pixels) => `${(100 * pixels) / width}cqw` });
  };
  return { duration: timeline.frames / timeline.fps, start };
}

/**
 * @param {HTMLElement} preview
 * @param {string | null} color
 */
function setBackground(preview, color) {
  preview.style.backgroundColor = "#000"; // stays if the next line's value is not a CSS colour
  if (color) preview.style.backgroundColor = color;
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
