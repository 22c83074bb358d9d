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

const clock = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "numeric", minute: "2-digit" });
/** @type {[number, string][]} */
const PERIODS = [[86_400, "day"], [3_600, "hour"], [60, "minute"], [1, "second"]]; // lengths in seconds

export const style = (/** @type {string} */ value) => STYLES[value] ?? value;
export const phase = (/** @type {string} */ value) => PHASES[value] ?? value;

/** @param {Render} render */
export function status(render) {
  return render.cancelRequested && render.status === "RENDERING" ? "Cancelling" : statusName(render.status);
}

/** @param {string} value */
export function statusName(value) {
  return STATUSES[value] ?? value;
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
  return duration(Math.max(1, Math.ceil((Date.parse(instant) - Date.now()) / 1000)));
}

/**
 * Return an approximate duration, such as "39 min".
 * @param {number} total In seconds.
 */
export function duration(total) {
  if (total < 90) return `${total} s`;
  return total < 5400 ? `${Math.round(total / 60)} min` : `${Math.round(total / 3600)} h`;
}

/**
 * Return a duration as on a clock, such as "38:05"; without seconds from one hour on, such as "21 h 40 min".
 * @param {number} total In seconds.
 */
export function countdown(total) {
  const minutes = total < 3600 ? Math.floor(total / 60) : Math.ceil(total / 60);
  if (minutes < 60) return `${minutes}:${String(total % 60).padStart(2, "0")}`;
  return minutes % 60 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${minutes / 60} h`;
}

/**
 * Return the name of the current period of this length, such as "this hour" or "these 2 hours".
 * @param {number} length In seconds.
 */
export function thisPeriod(length) {
  const [unit, noun] = PERIODS.find(([each]) => length % each === 0) ?? [1, "second"];
  return length === unit ? `this ${noun}` : `these ${length / unit} ${noun}s`;
}

/**
 * Return an instant as "at 7:00 PM", or "on" a date if that is not today.
 * @param {string} instant
 */
export function atTime(instant) {
  return `${isToday(new Date(instant)) ? "at" : "on"} ${time(instant)}`;
}

/**
 * Return the time of day of an instant, with the date if that is not today.
 * @param {string} instant
 */
export function time(instant) {
  const date = new Date(instant);
  return (isToday(date) ? clock : day).format(date);
}

/** @param {Date} date */
function isToday(date) {
  return date.toDateString() === new Date().toDateString();
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
