// The texts of generated fields: labels, hints and descriptions.

import * as format from "../format.js";

/** @import { Json, Schema } from "../../types.d.ts" */

const MAX_SAFE = Number.MAX_SAFE_INTEGER; // zod's limit of integers, which is no hint for users
const WIDGET = "__remotion-"; // descriptions with this prefix choose a control, see @remotion/zod-types
/** @type {Record<string, string>} */
const TYPES = {
  string: "Text",
  number: "Number",
  integer: "Whole number",
  boolean: "Yes or no",
  array: "List",
  object: "Object",
};

/**
 * Return the label of a property: its title, or its name as words.
 * @param {string} name
 * @param {Schema} schema
 */
export function labelOf(name, { title }) {
  if (title) return title;
  const words = name.replace(/([\p{Ll}\d])(\p{Lu})/gu, "$1 $2").replace(/[_-]+/g, " ").trim().toLowerCase();
  return words === "" ? name : words[0].toUpperCase() + words.slice(1);
}

/**
 * Return the label of an alternative of a union: its title, its constants, or its type.
 * @param {Schema} schema Resolved.
 * @param {number} index
 */
export function branchLabel(schema, index) {
  if (schema.title) return schema.title;
  const constants = Object.values(schema.properties ?? {}).map((part) => (typeof part === "object" ? part.const : undefined));
  const named = constants.filter((value) => typeof value === "string");
  if (named.length > 0) return named.join(", ");
  if (schema.const !== undefined) return choiceLabel(schema.const);
  return TYPES[String(schema.type)] ?? `Alternative ${index + 1}`;
}

/** @param {Json} value */
export function choiceLabel(value) {
  if (value === null) return "None";
  return typeof value === "string" ? value || "(empty)" : JSON.stringify(value);
}

/**
 * Return the description for people; Remotion also uses descriptions to choose controls.
 * @param {Schema} schema
 */
export function descriptionOf({ description = "" }) {
  return description.startsWith(WIDGET) ? "" : description;
}

/**
 * Return the limits of a text, number or list.
 * @param {Schema} schema
 */
export function hintOf(schema) {
  const { minLength = 0, maxLength = Infinity, minItems = 0, maxItems = Infinity } = schema;
  if (schema.type === "string") return limits(minLength > 1 ? minLength : 0, maxLength, "character");
  if (schema.type === "array") return limits(minItems, maxItems, "item");
  const { minimum = -Infinity, maximum = Infinity, exclusiveMinimum = -Infinity, exclusiveMaximum = Infinity } = schema;
  const parts = [];
  if (minimum > -MAX_SAFE && maximum < MAX_SAFE) parts.push(`${minimum} to ${maximum}`);
  else if (minimum > -MAX_SAFE) parts.push(`at least ${minimum}`);
  else if (maximum < MAX_SAFE) parts.push(`at most ${maximum}`);
  if (exclusiveMinimum > -MAX_SAFE) parts.push(`above ${exclusiveMinimum}`);
  if (exclusiveMaximum < MAX_SAFE) parts.push(`below ${exclusiveMaximum}`);
  return parts.join(", ");
}

/**
 * @param {number} min
 * @param {number} max
 * @param {string} unit
 */
function limits(min, max, unit) {
  const count = (/** @type {number} */ number) => format.count(number, unit, `${unit}s`);
  if (min > 0 && max < Infinity) return min === max ? count(max) : `${min} to ${count(max)}`;
  if (min > 0) return `at least ${count(min)}`;
  return max < Infinity ? `up to ${count(max)}` : "";
}
