// The choice of the output: a format, and the options that the format has. All options can be left out.

import { byId, setOptions, setText } from "../dom.js";
import { createFields } from "../fields/schema-form.js";
import * as format from "../format.js";
import { FORMATS, shortLabel } from "../output-formats.js";

/** @import { Composition, Field, Json, JsonObject, OutputFormat, Schema, Settings } from "../../types.d.ts" */

const GROUPS = { VIDEO: "Video", GIF: "Animated image", AUDIO: "Audio", STILL: "Still image" };
const PROFILES = ["P4444_XQ", "P4444", "HQ", "STANDARD", "LIGHT", "PROXY"];

export class OutputOptions {
  #details = byId("output", HTMLDetailsElement);
  #summary = byId("output-summary", HTMLElement);
  #select = byId("output-format", HTMLSelectElement);
  #place = byId("output-options", HTMLElement);
  #announce;
  #onSize;
  /** @type {Composition | undefined} */
  #composition;
  /** @type {Field | undefined} */
  #options;
  #chosen = ""; // by the user, for all compositions that have this format

  /**
   * `onSize` receives the size in pixels, before `scale`, after each change.
   * @param {(text: string) => void} announce
   * @param {(size: { width: number, height: number }) => void} onSize
   */
  constructor(announce, onSize) {
    this.#announce = announce;
    this.#onSize = onSize;
    this.#select.addEventListener("input", () => {
      this.#chosen = this.#select.value;
      this.#showOptions(this.#given);
    });
    this.#details.addEventListener("input", () => this.#update());
  }

  /**
   * Offer the formats of a composition. The options are hidden if it is not known.
   * @param {Composition | undefined} composition
   */
  show(composition) {
    const given = this.#given;
    const formats = composition?.outputs.filter((name) => name in FORMATS) ?? [];
    this.#composition = composition;
    this.#details.hidden = formats.length === 0;
    setOptions(this.#select, formats.map(toOption), this.#chosen);
    this.#showOptions(given);
  }

  /** The output for the mutation; undefined for the default. Throws `InvalidField`. */
  get output() {
    if (this.#details.hidden || !this.#options) return undefined;
    const { kind } = FORMATS[this.#format];
    const given = /** @type {JsonObject} */ (this.#options.value);
    const options = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== false));
    const usual = this.#composition?.kind === "STILL" ? "PNG" : "H264";
    if (this.#format === usual && Object.keys(options).length === 0) return undefined;
    return { [kind.toLowerCase()]: kind === "GIF" ? options : { format: this.#format, ...options } };
  }

  /**
   * Choose the output of a render. Throws an error for the user if the composition does not have its format.
   * @param {Settings["output"]} output
   */
  use({ format: name, ...output }) {
    if (!this.#composition?.outputs.includes(name)) throw new Error(`The server does not make ${shortLabel(name)} of this any more.`);
    this.#chosen = this.#select.value = name;
    this.#showOptions(givenOptions(output, FORMATS[name].options, this.#composition));
    this.#details.open ||= this.output !== undefined;
  }

  /**
   * Show a problem at its option. Return whether there is one.
   * @param {string[]} path From the output, such as `["video", "crf"]`.
   * @param {string} message
   */
  showProblem([, ...path], message) {
    const isKnown = path.length > 0 && FORMATS[this.#format]?.options.includes(path[0]);
    if (this.#details.hidden || !isKnown) return false;
    this.#options?.showProblem(path, message);
    return true;
  }

  get #format() {
    return /** @type {OutputFormat} */ (this.#select.value);
  }

  /** The options as far as they can be read. */
  get #given() {
    try {
      return /** @type {JsonObject} */ (this.#options?.value ?? {});
    } catch {
      return {};
    }
  }

  /** @param {JsonObject} given */
  #showOptions(given) {
    if (!this.#composition || !this.#format) return;
    const schema = optionsSchema(this.#format, this.#composition);
    const value = Object.fromEntries(Object.entries(given).filter(([name]) => name in (schema.properties ?? {})));
    this.#options = createFields(
      { schema, value, label: "Options", isOptional: false, depth: 0, isLabelHidden: true },
      this.#announce,
      { marksOptional: false },
    );
    this.#place.replaceChildren(this.#options.element);
    this.#update();
  }

  #update() {
    if (!this.#composition) return;
    const given = this.#given;
    const { width, height } = { ...this.#composition, ...given };
    setText(this.#summary, summaryOf(this.#format, given, this.#composition));
    if (Number(width) > 0 && Number(height) > 0) this.#onSize({ width: Number(width), height: Number(height) });
  }
}

/**
 * Return the options of an output that differ from the composition's own values.
 * @param {JsonObject} output
 * @param {string[]} options Of the format.
 * @param {Composition} composition
 */
function givenOptions(output, options, { width, height, fps }) {
  const scale = Number(output.scale ?? 1);
  const unscaled = (/** @type {Json} */ side) => (side === null ? null : Math.round(Number(side) / scale));
  const values = { ...output, width: unscaled(output.width), height: unscaled(output.height) };
  /** @type {JsonObject} */
  const usual = { width, height, fps, scale: 1, everyNthFrame: 1, frame: 0 };
  const isGiven = (/** @type {[string, Json]} */ [name, value]) => options.includes(name) && value !== null && value !== false && value !== usual[name];
  return Object.fromEntries(Object.entries(values).filter(isGiven));
}

/** @param {OutputFormat} value */
function toOption(value) {
  const { kind, label } = FORMATS[value];
  return { group: GROUPS[kind], label, value };
}

/**
 * Return a summary such as "MP4, 1280×720, 30 fps".
 * @param {OutputFormat} name
 * @param {JsonObject} options
 * @param {Composition} composition
 */
function summaryOf(name, options, composition) {
  const { kind } = FORMATS[name];
  const number = (/** @type {string} */ option, /** @type {number} */ fallback) => Number(options[option] ?? fallback);
  const scale = number("scale", 1);
  const [width, height] = [number("width", composition.width) * scale, number("height", composition.height) * scale];
  const parts = [shortLabel(name)];
  if (kind !== "AUDIO") parts.push(format.dimensions(Math.round(width), Math.round(height)));
  if (kind === "VIDEO" || kind === "GIF") parts.push(format.rate(number("fps", composition.fps) / number("everyNthFrame", 1)));
  if (options.transparent) parts.push("transparent");
  if (options.frame !== undefined) parts.push(`frame ${options.frame}`);
  return parts.join(", ");
}

/**
 * Return the schema of the options of a format. Its examples are the values without the option.
 * @param {OutputFormat} name
 * @param {Composition} composition
 * @returns {Schema}
 */
function optionsSchema(name, { kind, width, height, fps }) {
  const { options, crf = [0, 0], even = false } = FORMATS[name];
  const size = { type: "integer", multipleOf: even ? 2 : 1 };
  /** @type {Record<string, Schema>} */
  const all = {
    width: { ...size, title: "Width", examples: [width] },
    height: { ...size, title: "Height", examples: [height] },
    scale: { type: "number", title: "Scale", examples: [1] },
    fps: { type: "number", title: "Frame rate", examples: [fps] },
    crf: { type: "integer", minimum: crf[0], maximum: crf[1], title: "CRF", description: "Lower means better quality." },
    bitrateKbps: { type: "integer", title: "Bit rate", description: "In kbit/s." },
    proResProfile: { enum: PROFILES, title: "Profile" },
    everyNthFrame: { type: "integer", title: "Every nth frame", examples: [1] },
    loops: { type: "integer", title: "Repetitions", examples: ["without end"] },
    frame: { type: "integer", title: "Frame", description: "From 0; -1 is the last one.", examples: [0] },
    quality: { type: "integer", minimum: 1, maximum: 100, title: "Quality" },
    transparent: { type: "boolean", title: "Transparent" },
    muted: { type: "boolean", title: "No sound" },
  };
  const hidden = kind === "STILL" ? ["frame"] : [];
  const shown = Object.keys(all).filter((option) => options.includes(option) && !hidden.includes(option));
  return { type: "object", properties: Object.fromEntries(shown.map((option) => [option, all[option]])) };
}
