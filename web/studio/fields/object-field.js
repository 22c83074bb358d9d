// Fields for objects: named properties, and records with keys of the user's choice.

import { create } from "../dom.js";
import { createButton, GroupFrame, InvalidField, reportChange, uniqueId } from "./frames.js";
import { labelOf } from "./labels.js";
import { hasFurtherKeys, initialValue, isObject, resolve } from "./schema.js";

/** @import { Field, FieldContext, FieldSpec, Json, JsonObject, Schema } from "../../types.d.ts" */

/** An object with a field for each property. Constants have no field; keys without a schema keep their values. */
export class ObjectField {
  #frame;
  /** @type {Map<string, Field>} */
  #fields = new Map();
  /** @type {JsonObject} */
  #kept; // what no field shows
  /** @type {Field | undefined} */
  #further;

  /**
   * @param {FieldSpec} spec
   * @param {FieldContext} context
   */
  constructor(spec, context) {
    this.#frame = new GroupFrame(spec);
    const value = isObject(spec.value) ? spec.value : {};
    const properties = Object.entries(propertiesOf(spec.schema, context.root));
    this.#kept = { ...value };
    for (const [name, given] of properties) {
      const schema = resolve(given, context.root);
      if (schema.const !== undefined) this.#kept[name] = schema.const;
      else this.#add(name, this.#specOf(name, schema, { spec, value }), context);
    }
    if (hasFurtherKeys(spec.schema)) this.#addFurther(spec, context);
  }

  get element() {
    return this.#frame.element;
  }

  /** @param {string} text */
  set label(text) {
    this.#frame.label = text;
  }

  /** @returns {JsonObject} */
  get value() {
    const values = { ...this.#kept };
    for (const [name, { value }] of this.#fields) if (value !== undefined) values[name] = value;
    return Object.assign(values, this.#further?.value);
  }

  /**
   * @param {string[]} path
   * @param {string} message
   */
  showProblem([name, ...path], message) {
    if (name === undefined) this.#frame.showProblem(message);
    else if (this.#fields.has(name)) this.#fields.get(name)?.showProblem(path, message);
    else if (this.#further) this.#further.showProblem([name, ...path], message);
    else this.#frame.showProblem(`${labelOf(name, {})}: ${message}`);
  }

  /**
   * @param {string} name
   * @param {Schema} schema
   * @param {{ spec: FieldSpec, value: JsonObject }} parent
   * @returns {FieldSpec}
   */
  #specOf(name, schema, { spec, value: given }) {
    const value = name in given ? given[name] : schema.default;
    // A key that is left out at the top level gets its default: there, a value can be changed but not removed.
    const isOptional = !spec.schema.required?.includes(name) && schema.default === undefined
      && !(spec.isRoot && value !== undefined);
    return { schema, value, isOptional, label: labelOf(name, schema), depth: spec.depth + 1 };
  }

  /**
   * @param {string} name
   * @param {FieldSpec} spec
   * @param {FieldContext} context
   */
  #add(name, spec, context) {
    delete this.#kept[name];
    const field = context.create(spec);
    this.#fields.set(name, field);
    this.#frame.body.append(field.element);
  }

  /**
   * @param {FieldSpec} spec
   * @param {FieldContext} context
   */
  #addFurther(spec, context) {
    const value = this.#kept;
    const { additionalProperties } = spec.schema;
    const schema = { type: "object", additionalProperties };
    const label = spec.isRoot ? "More" : `More of ${spec.label}`;
    this.#kept = {};
    this.#further = new RecordField({ schema, value, label, isOptional: false, depth: spec.depth }, context);
    this.#frame.body.append(this.#further.element);
  }
}

/**
 * Return the schemas of the properties. A record of an enumeration has one for each value of the enumeration.
 * @param {Schema} schema
 * @param {Schema} root
 */
function propertiesOf({ properties = {}, propertyNames, additionalProperties }, root) {
  const names = resolve(propertyNames, root).enum ?? [];
  return { ...Object.fromEntries(names.map((name) => [name, additionalProperties])), ...properties };
}

/** An object whose keys the user chooses. */
export class RecordField {
  #frame;
  #spec;
  #context;
  #list = create("ol", "items");
  /** @type {Row[]} */
  #rows = [];
  #isChanged = false;

  /**
   * @param {FieldSpec} spec
   * @param {FieldContext} context
   */
  constructor(spec, context) {
    this.#spec = spec;
    this.#context = context;
    this.#frame = new GroupFrame(spec);
    this.#frame.body.append(this.#list, createButton("Add entry", () => this.#addEmpty()));
    for (const [key, value] of Object.entries(isObject(spec.value) ? spec.value : {})) this.#add(key, value);
    this.element.addEventListener("input", () => (this.#isChanged = true));
  }

  get element() {
    return this.#frame.element;
  }

  /** @param {string} text */
  set label(text) {
    this.#frame.label = text;
  }

  /** @returns {Json | undefined} */
  get value() {
    if (!this.#isChanged) return this.#spec.value;
    /** @type {JsonObject} */
    const entries = {};
    for (const { key, field } of this.#rows) {
      if (Object.hasOwn(entries, key.value)) throw new InvalidField(this, `The key “${key.value}” is used twice.`);
      entries[key.value] = field.value ?? null;
    }
    return entries;
  }

  /**
   * @param {string[]} path
   * @param {string} message
   */
  showProblem([key, ...path], message) {
    const row = this.#rows.find((each) => each.key.value === key);
    if (row) row.field.showProblem(path, message);
    else this.#frame.showProblem(key === undefined ? message : `${key}: ${message}`);
  }

  #addEmpty() {
    const row = this.#add("", initialValue(this.#spec.schema.additionalProperties, this.#context.root));
    reportChange(this.element);
    row.key.focus();
  }

  /**
   * @param {string} name
   * @param {Json} value
   */
  #add(name, value) {
    const schema = resolve(this.#spec.schema.additionalProperties, this.#context.root);
    const row = new Row(name, { schema, value, label: "Value", isOptional: false, depth: this.#spec.depth + 1 }, this.#context);
    row.remove.addEventListener("click", () => this.#remove(row));
    this.#rows.push(row);
    this.#list.append(row.element);
    return row;
  }

  /** @param {Row} row */
  #remove(row) {
    const index = this.#rows.indexOf(row);
    this.#rows.splice(index, 1);
    row.element.remove();
    reportChange(this.element);
    this.#context.announce(`Removed “${row.key.value}”.`);
    const next = this.#rows[Math.min(index, this.#rows.length - 1)];
    (next?.remove ?? /** @type {HTMLElement} */ (this.#frame.body.lastElementChild)).focus();
  }
}

/** A key with its value. */
class Row {
  element = create("li", "item");
  key = create("input");

  /**
   * @param {string} name
   * @param {FieldSpec} spec
   * @param {FieldContext} context
   */
  constructor(name, spec, context) {
    const label = create("label");
    label.textContent = "Key";
    label.htmlFor = this.key.id = uniqueId();
    this.key.value = name;
    const field = create("div", "field");
    field.append(label, this.key);
    this.field = context.create(spec);
    this.remove = createButton("Remove", () => {});
    const nameRemove = () => (this.remove.ariaLabel = `Remove “${this.key.value}”`);
    this.key.addEventListener("input", nameRemove);
    nameRemove();
    const buttons = create("div", "item-buttons");
    buttons.append(this.remove);
    this.element.append(field, this.field.element, buttons);
  }
}
