// Fields with one control: texts, numbers, colours, choices and JSON texts.
//
// A field that the user hasn't changed keeps its value exactly, including values that its control can't show.

import { bindSwatch, createSwatch } from "../colors.js";
import { create } from "../dom.js";
import { ControlFrame, InvalidField } from "./frames.js";
import { choiceLabel } from "./labels.js";
import { isEqual } from "./schema.js";

/** @import { FieldSpec, Json } from "../../types.d.ts" */

const MAX_STEPS = 10_000; // of a slider
const SLIDER_STEPS = 100; // of numbers that need not be whole
const MAX_JSON_ROWS = 24;

/** @abstract */
class ScalarField {
  #frame;
  #isChanged = false;

  /**
   * @param {HTMLElement} control
   * @param {FieldSpec} spec
   * @param {HTMLElement[]} [parts]
   */
  constructor(control, spec, parts) {
    this.spec = spec;
    this.#frame = new ControlFrame(control, spec, parts);
    this.element.addEventListener("input", () => (this.#isChanged = true));
  }

  get element() {
    return this.#frame.element;
  }

  /** @param {string} text */
  set label(text) {
    this.#frame.label = text;
  }

  /** The value; undefined if there is none. Throws `InvalidField`. */
  get value() {
    return this.#isChanged ? this.read() : this.spec.value;
  }

  /**
   * Return the value of the changed control.
   * @abstract
   * @returns {Json | undefined}
   */
  read() {
    return undefined;
  }

  /**
   * @param {string[]} path
   * @param {string} message
   */
  showProblem(path, message) {
    this.#frame.showProblem(path.length > 0 ? `/${path.join("/")}: ${message}` : message);
  }
}

/** A text of one or several lines, or a colour. */
export class TextField extends ScalarField {
  #control;

  /** @param {FieldSpec} spec */
  constructor(spec) {
    const text = typeof spec.value === "string" ? spec.value : "";
    const { description, format } = spec.schema;
    const isLong = description === "__remotion-textarea" || text.includes("\n");
    const control = isLong ? Object.assign(create("textarea"), { rows: 3 }) : create("input");
    const isColor = description === "__remotion-color";
    const row = create("div", "color-input");
    if (isColor) row.append(createSwatch(`Pick: ${spec.label}`), control);
    super(control, spec, isColor ? [row] : [control]);
    this.#control = control;
    control.value = text;
    control.autocomplete = "off";
    control.dir = isColor ? "" : "auto";
    control.spellcheck = isLong;
    if (format === "uri") control.inputMode = "url";
    if (format === "email") control.inputMode = "email";
    if (isColor) bindSwatch(/** @type {HTMLInputElement} */ (row.firstElementChild), control);
  }

  /** @override */
  read() {
    const isNone = this.#control.value === "" && this.spec.isOptional;
    return isNone ? undefined : this.#control.value;
  }
}

/** A number, with a slider if its range is known. */
export class NumberField extends ScalarField {
  #control;

  /** @param {FieldSpec} spec */
  constructor(spec) {
    const control = create("input");
    control.type = "number";
    const slider = spec.isOptional ? undefined : createSlider(spec.schema);
    const row = create("div", "number-input");
    if (slider) row.append(slider, control);
    super(control, spec, slider ? [row] : [control]);
    this.#control = control;
    const { schema, value } = spec;
    const isWhole = schema.type === "integer";
    control.inputMode = isWhole ? "numeric" : "decimal";
    control.step = slider?.step ?? (isWhole ? String(schema.multipleOf ?? 1) : "any");
    control.placeholder = String(schema.examples?.[0] ?? "");
    if (typeof value === "number") control.value = String(value);
    if (slider) connect(slider, control);
  }

  /** @override */
  read() {
    const { value, validity } = this.#control;
    if (validity.badInput || (value === "" && !this.spec.isOptional)) throw new InvalidField(this, "Enter a number.");
    return value === "" ? undefined : Number(value);
  }
}

/**
 * Return a slider; undefined if the range is unknown or has too many steps.
 * @param {FieldSpec["schema"]} schema
 */
function createSlider({ type, minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf }) {
  const [low = NaN, high = NaN] = [minimum ?? exclusiveMinimum, maximum ?? exclusiveMaximum];
  const fine = 10 ** Math.floor(Math.log10((high - low) / SLIDER_STEPS));
  const step = multipleOf ?? (type === "integer" ? 1 : fine);
  if (!(high > low && (high - low) / step <= MAX_STEPS)) return undefined;
  return Object.assign(create("input"), {
    type: "range",
    step: String(step),
    min: String(minimum ?? low + step),
    max: String(maximum ?? high - step),
    tabIndex: -1, // the number beside it has the same value
    ariaHidden: "true",
  });
}

/**
 * @param {HTMLInputElement} slider
 * @param {HTMLInputElement} control
 */
function connect(slider, control) {
  slider.value = control.value;
  slider.addEventListener("input", () => (control.value = slider.value));
  control.addEventListener("input", () => (slider.value = control.value));
}

/** A yes or no. */
export class BooleanField extends ScalarField {
  #control;

  /** @param {FieldSpec} spec */
  constructor(spec) {
    const control = create("input");
    control.type = "checkbox";
    super(control, spec);
    this.#control = control;
    control.checked = spec.value === true;
    this.element.classList.add("check");
  }

  /** @override */
  read() {
    return this.#control.checked;
  }
}

/** One of several values. */
export class ChoiceField extends ScalarField {
  #control;
  #values;

  /**
   * @param {FieldSpec} spec
   * @param {Json[]} values
   */
  constructor(spec, values) {
    const control = create("select");
    super(control, spec);
    this.#control = control;
    this.#values = values;
    const chosen = values.findIndex((value) => isEqual(value, spec.value));
    if (chosen < 0 || spec.isOptional) control.add(new Option(spec.isOptional ? "Not set" : "Choose…", "-1"));
    for (const [index, value] of values.entries()) control.add(new Option(choiceLabel(value), String(index)));
    control.value = String(chosen);
  }

  /** @override */
  read() {
    const value = this.#values[Number(this.#control.value)];
    if (value === undefined && !this.spec.isOptional) throw new InvalidField(this, "Choose one.");
    return value;
  }
}

/** Any value, as JSON text. */
export class JsonField extends ScalarField {
  #control;

  /** @param {FieldSpec} spec */
  constructor(spec) {
    const control = create("textarea", "json");
    super(control, spec);
    this.#control = control;
    control.value = spec.value === undefined ? "" : JSON.stringify(spec.value, null, 2);
    control.rows = Math.min(MAX_JSON_ROWS, Math.max(3, control.value.split("\n").length));
    control.spellcheck = false;
    control.autocapitalize = "off";
  }

  /** @override */
  read() {
    const text = this.#control.value.trim();
    if (text === "" && this.spec.isOptional) return undefined;
    try {
      return JSON.parse(text);
    } catch (error) {
      throw new InvalidField(this, `This is not valid JSON. ${/** @type {Error} */ (error).message}`);
    }
  }
}
