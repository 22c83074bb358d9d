// Formats numbers, times and states for display.

import { shortLabel } from "./output-formats.js";

/** @import { JsonObject, Render } from "../types.d.ts" */

/** @type {Record<string, string>} */
const STYLES = { FADE_IN: "Fade in", TYPEWRITER: "Typewriter", SLIDE_UP: "Slide up", SCALE: "Scale" };
/** @type {Record<string, string>} */
const STATUSES = {
  QUEUED: "Waiting",
  RENDERING: "Rendering",
  COMPLETE: "Done",
  FAILED: "Failed",
  CANCELLED: "Cancelled",
};
/** @type {Record<string, string>} */
const PHASES = {
  LAUNCHING: "Starting the renderer",
  RENDERING_FRAMES: "Drawing frames",
  ENCODING: "Encoding",
  COMBINING: "Combining the parts",
};
const MAX_NAME_LENGTH = 40; // characters
const TITLES = ["title", "headline", "heading", "name", "text", "label", "caption"]; // usual names of a title in props

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });

export const style = (/** @type {string} */ value) => STYLES[value] ?? value;
export const phase = (/** @type {string} */ value) => PHASES[value] ?? value;

/** @param {Render} render */
export function status(render) {
  return render.cancelRequested && render.status === "RENDERING" ? "Cancelling" : STATUSES[render.status] ?? render.status;
}

/**
 * Return the text of an animation, or the title of a render; the composition's id until the title is known.
 * @param {Pick<Render, "animationProps" | "compositionId" | "title">} render
 */
export function title({ animationProps, compositionId, title: known }) {
  return animationProps?.text ?? known ?? compositionId;
}

/**
 * Return the composition's id with the title in the props.
 * @param {string} compositionId
 * @param {JsonObject} inputProps
 */
export function titleOf(compositionId, inputProps) {
  const found = TITLES.map((key) => inputProps[key]).find((value) => typeof value === "string" && value.trim() !== "");
  return found === undefined ? compositionId : `${compositionId}: ${found}`;
}

/** @param {Render} render */
export function name(render) {
  return quoted(title(render));
}

/**
 * Return the start of a text in quotation marks.
 * @param {string} text
 */
export function quoted(text) {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length <= MAX_NAME_LENGTH ? `“${line}”` : `“${line.slice(0, MAX_NAME_LENGTH).trimEnd()}…”`;
}

/**
 * Return the format of an output with its size, such as "MP4 1280×720".
 * @param {Render["output"]} output
 */
export function output({ format, width, height }) {
  return width && height ? `${shortLabel(format)} ${dimensions(width, height)}` : shortLabel(format);
}

/**
 * @param {number} width
 * @param {number} height
 */
export function dimensions(width, height) {
  return `${width}×${height}`;
}

/** @param {number} fps */
export function rate(fps) {
  return `${Number(fps.toFixed(2))} fps`;
}

/** @param {number} value */
export function seconds(value) {
  return `${Number(value.toFixed(1))} s`;
}

/**
 * Return the approximate time until an instant, at least one second.
 * @param {string} instant
 */
export function timeUntil(instant) {
  const left = Math.max(1, Math.ceil((Date.parse(instant) - Date.now()) / 1000));
  if (left < 90) return `${left} s`;
  return left < 5400 ? `${Math.round(left / 60)} min` : `${Math.round(left / 3600)} h`;
}

/**
 * Return the time of day of an instant, with the date if that is not today.
 * @param {string} instant
 */
export function time(instant) {
  const date = new Date(instant);
  return (date.toDateString() === new Date().toDateString() ? clock : day).format(date);
}

/** @param {number} bytes */
export function size(bytes) {
  return bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/**
 * Return an amount with at least two significant digits: a render can cost less than a cent.
 * @param {number} dollars
 */
export function cost(dollars) {
  return dollars === 0 ? "$0" : `$${dollars.toFixed(Math.max(2, 1 - Math.floor(Math.log10(dollars))))}`;
}

/**
 * @param {number} number
 * @param {string} singular
 * @param {string} plural
 */
export function count(number, singular, plural) {
  return `${number} ${number === 1 ? singular : plural}`;
}
