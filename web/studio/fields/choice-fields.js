// Fields that contain one of several other fields, or none.

import { create } from "../dom.js";
import { ControlFrame, GroupFrame, uniqueId } from "./frames.js";
import { branchLabel } from "./labels.js";
import { accepts, alternatives, initialValue, resolve } from "./schema.js";

/** @import { Field, FieldContext, FieldSpec, Json, Schema } from "../../types.d.ts" */

/** A value that matches one of several schemas, with a list of these. */
export class UnionField {
  #frame;
  #spec;
  #context;
  #select = create("select");
  #place = create("div", "group-body");
  /** @type {Schema[]} */
  #branches;
  /** @type {Map<number, Field>} */
  #fields = new Map(); // a branch keeps its values while another one is shown

  /**
   * @param {FieldSpec} spec
   * @param {FieldContext} context
   */
  constructor(spec, context) {
    this.#spec = spec;
    this.#context = context;
    this.#frame = new GroupFrame(spec);
    this.#branches = alternatives(spec.schema).map((branch) => resolve(branch, context.root));
    for (const [index, branch] of this.#branches.entries()) {
      this.#select.add(new Option(branchLabel(branch, index), String(index)));
    }
    const label = create("label");
    label.textContent = "Type";
    label.htmlFor = this.#select.id = uniqueId();
    const field = create("div", "field");
    field.append(label, this.#select);
    this.#frame.body.append(field, this.#place);
    const shown = this.#branches.findIndex((branch) => accepts(branch, spec.value, context.root));
    this.#select.value = String(Math.max(0, shown));
    this.#select.addEventListener("input", () => this.#show());
    this.#show(spec.value);
  }

  get element() {
    return this.#frame.element;
  }

  /** @param {string} text */
  set label(text) {
    this.#frame.label = text;
  }

  get value() {
    return this.#shown?.value;
  }

  /**
   * @param {string[]} path
   * @param {string} message
   */
  showProblem(path, message) {
    if (path.length === 0 || !this.#shown) this.#frame.showProblem(message);
    else this.#shown.showProblem(path, message);
  }

  get #shown() {
    return this.#fields.get(Number(this.#select.value));
  }

  /** @param {Json} [value] For the first branch; a branch that is chosen later starts with its initial value. */
  #show(value) {
    const index = Number(this.#select.value);
    const field = this.#fields.get(index) ?? this.#create(index, value);
    this.#fields.set(index, field);
    this.#place.replaceChildren(field.element);
  }

  /**
   * @param {number} index
   * @param {Json | undefined} value
   */
  #create(index, value) {
    const { root } = this.#context;
    const schema = this.#branches[index];
    return this.#context.create({
      schema,
      value: value ?? initialValue(schema, root),
      label: branchLabel(schema, index),
      isLabelHidden: true,
      isOptional: false,
      depth: this.#spec.depth + 1,
    });
  }
}

/** A field that can be absent: null, or left out. */
export class OptionalField {
  element = create("div", "optional");
  #spec;
  #context;
  /** @type {null | undefined} */
  #none;
  #checkbox = create("input");
  #frame;
  /** @type {Field | undefined} */
  #field;
  #isChanged = false;

  /**
   * `none` is the value without the field: null, or undefined.
   * @param {FieldSpec} spec
   * @param {FieldContext} context
   * @param {null | undefined} none
   */
  constructor(spec, context, none) {
    this.#spec = spec;
    this.#context = context;
    this.#none = none;
    this.#checkbox.type = "checkbox";
    this.#checkbox.checked = spec.value !== undefined && spec.value !== null;
    this.#frame = new ControlFrame(this.#checkbox, { ...spec, schema: {} });
    this.#frame.element.classList.add("check");
    this.element.append(this.#frame.element);
    this.#checkbox.addEventListener("input", () => this.#update());
    this.element.addEventListener("input", () => (this.#isChanged = true));
    this.#update();
  }

  /** @param {string} text */
  set label(text) {
    this.#frame.label = text;
    if (this.#field) this.#field.label = text;
  }

  get value() {
    if (!this.#isChanged) return this.#spec.value;
    return this.#checkbox.checked ? this.#field?.value : this.#none;
  }

  /**
   * @param {string[]} path
   * @param {string} message
   */
  showProblem(path, message) {
    if (this.#checkbox.checked && this.#field) this.#field.showProblem(path, message);
    else this.#frame.showProblem(message);
  }

  #update() {
    if (this.#checkbox.checked && !this.#field) {
      const { schema, value = initialValue(schema, this.#context.root) } = this.#spec;
      const given = value === null ? initialValue(schema, this.#context.root) : value;
      this.#field = this.#context.create({ ...this.#spec, value: given, isOptional: false, isLabelHidden: true });
      this.element.append(this.#field.element);
    }
    if (this.#field) this.#field.element.hidden = !this.#checkbox.checked;
  }
}
