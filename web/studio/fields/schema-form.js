// A form for props, generated from their JSON Schema. The server validates the props.
//
// `createField` chooses the control of each part. A part that has none, and props without a schema, are edited as JSON.

import { create } from "../dom.js";
import { OptionalField, UnionField } from "./choice-fields.js";
import { clearProblems, createButton, InvalidField } from "./frames.js";
import { ListField, TupleField } from "./list-field.js";
import { ObjectField, RecordField } from "./object-field.js";
import { BooleanField, ChoiceField, JsonField, NumberField, TextField } from "./scalar-field.js";
import { alternatives, choices, initialValue, isObject, resolve, splitNull } from "./schema.js";

/** @import { Field, FieldContext, FieldSpec, Json, JsonObject, Schema } from "../../types.d.ts" */

const MAX_DEPTH = 16; // deeper parts are edited as JSON

export class SchemaForm {
  element = create("div", "schema-form");
  #schema;
  #announce;
  #fields = create("div");
  #toggle = createButton("Edit as JSON", () => this.#toggleJson());
  /** @type {Field} */
  #field;

  /**
   * `schema` is null if the composition has none. `announce` receives sentences for screen readers.
   * @param {Schema | null} schema
   * @param {JsonObject} props
   * @param {(text: string) => void} announce
   */
  constructor(schema, props, announce) {
    this.#schema = schema;
    this.#announce = announce;
    this.#toggle.ariaPressed = String(schema === null);
    this.#toggle.hidden = schema === null;
    const row = create("div", "row form-row");
    row.append(this.#toggle);
    this.element.append(this.#fields, row);
    this.#field = this.#show(props);
  }

  /** The props. Throws `InvalidField`. */
  get props() {
    const props = this.#field.value ?? {};
    if (!isObject(props)) throw new InvalidField(this.#field, "The props must be a JSON object.");
    return props;
  }

  /**
   * Show a problem at its field. Return whether there is one: problems of the props as a whole have none.
   * @param {string[]} path
   * @param {string} message
   */
  showProblem(path, message) {
    if (path.length === 0 && !this.#isJson) return false;
    this.#field.showProblem(path, message);
    return true;
  }

  get #isJson() {
    return this.#toggle.ariaPressed === "true";
  }

  #toggleJson() {
    try {
      clearProblems(this.element);
      const { props } = this;
      this.#toggle.ariaPressed = String(!this.#isJson);
      this.#field = this.#show(props);
      this.#announce(this.#isJson ? "The props are shown as JSON." : "The props are shown as a form.");
    } catch (error) {
      if (!(error instanceof InvalidField)) throw error;
      error.field.showProblem([], error.message);
      /** @type {HTMLElement | null} */ (this.element.querySelector("[data-invalid]"))?.focus();
    }
  }

  /** @param {JsonObject} props */
  #show(props) {
    const spec = { schema: this.#schema ?? {}, value: props, label: "Props", isOptional: false, depth: 0 };
    const field = (this.#isJson ? undefined : this.#createFields(spec))
      ?? new JsonField({ ...spec, label: "Props as JSON", schema: {} });
    this.#fields.replaceChildren(field.element);
    return field;
  }

  /**
   * Return the fields; undefined if there can be none, because the schema is not valid or only refers to itself.
   * @param {FieldSpec} spec
   */
  #createFields(spec) {
    try {
      return createFields({ ...spec, isLabelHidden: true, isRoot: true }, this.#announce);
    } catch (error) {
      console.info("The schema of the props can't be shown as a form.", error);
      this.#toggle.ariaPressed = "true";
      this.#toggle.hidden = true;
      return undefined;
    }
  }
}

/**
 * Return the fields for a complete schema. `marksOptional` says whether the labels of optional fields say so.
 * @param {FieldSpec} spec
 * @param {(text: string) => void} announce
 */
export function createFields(spec, announce, { marksOptional = true } = {}) {
  /** @type {FieldContext} */
  const context = { root: spec.schema, announce, marksOptional, create: (part) => createField(part, context) };
  return context.create(spec);
}

/**
 * Return the field for a part of the props.
 * @param {FieldSpec} spec
 * @param {FieldContext} context
 * @returns {Field}
 */
function createField(spec, context) {
  const { schema, isNullable } = splitNull(resolve(spec.schema, context.root), context.root);
  const type = typeOf(schema, spec.value, context.root);
  if (isNullable) return new OptionalField({ ...spec, schema }, context, null);
  if (spec.isOptional && (type === "object" || type === "union")) return new OptionalField({ ...spec, schema }, context, undefined);
  const value = spec.value === undefined && !spec.isOptional ? initialValue(schema, context.root) : spec.value;
  const isMarked = spec.isOptional && context.marksOptional && type !== "array";
  const label = isMarked ? `${spec.label} (optional)` : spec.label;
  return createControl({ ...spec, schema, value, label }, type, context);
}

/**
 * @param {FieldSpec} spec
 * @param {string} type
 * @param {FieldContext} context
 * @returns {Field}
 */
function createControl(spec, type, context) {
  const { schema, value, depth } = spec;
  if (depth > MAX_DEPTH || (value !== undefined && !canShow(type, value))) return new JsonField(spec);
  switch (type) {
    case "choice":
      return new ChoiceField(spec, choices(schema, context.root) ?? [/** @type {Json} */ (schema.const)]);
    case "union":
      return new UnionField(spec, context);
    case "string":
      return new TextField(spec);
    case "number":
    case "integer":
      return new NumberField(spec);
    case "boolean":
      return new BooleanField(spec);
    case "array":
      return createArray(spec, context);
    case "object":
      return createObject(spec, context);
    default:
      return new JsonField(spec);
  }
}

/**
 * Return the kind of control for a resolved schema. Without any type in the schema, the value decides.
 * @param {Schema} schema
 * @param {Json | undefined} value
 * @param {Schema} root
 * @returns {string}
 */
function typeOf(schema, value, root) {
  const branches = alternatives(schema);
  if (schema.const !== undefined || choices(schema, root)) return "choice";
  if (branches.length > 0) return "union";
  if (typeof schema.type === "string") return schema.type;
  if (schema.properties) return "object";
  if (schema.items || schema.prefixItems) return "array";
  return ["string", "number", "boolean"].includes(typeof value) ? typeof value : "json";
}

/**
 * @param {string} type
 * @param {Json} value
 */
function canShow(type, value) {
  if (type === "array") return Array.isArray(value);
  if (type === "object") return isObject(value);
  return type === "integer" ? typeof value === "number" : !["string", "number", "boolean"].includes(type) || typeof value === type;
}

/**
 * @param {FieldSpec} spec
 * @param {FieldContext} context
 */
function createArray(spec, context) {
  const { schema: { prefixItems, items }, value } = spec;
  const isFixed = prefixItems !== undefined && !isObject(items);
  if (isFixed && (!Array.isArray(value) || value.length <= prefixItems.length)) return new TupleField(spec, context);
  return prefixItems === undefined && isObject(items) ? new ListField(spec, context) : new JsonField(spec);
}

/**
 * @param {FieldSpec} spec
 * @param {FieldContext} context
 */
function createObject(spec, context) {
  const { properties, propertyNames, additionalProperties } = spec.schema;
  if (properties || resolve(propertyNames, context.root).enum) return new ObjectField(spec, context);
  return isObject(additionalProperties) ? new RecordField(spec, context) : new JsonField(spec);
}
