// Reads JSON Schemas (draft 2020-12), as zod and other libraries write them for Remotion compositions.
//
// Nothing here validates: the server does. `accepts` only decides which control can show a value.

/** @import { Json, JsonObject, Schema } from "../../types.d.ts" */

const MAX_REFERENCES = 20; // references to references that are followed
const MAX_DEPTH = 8; // of values that are compared; schemas can be recursive
const MAX_INITIAL_ITEMS = 100; // of a new list, even if it needs more
const INITIAL_DEPTHS = [4, 8]; // of new values: of a recursive schema, the smaller one is tried first

/**
 * Return whether a value is a JSON object.
 * @param {unknown} value
 * @returns {value is JsonObject}
 */
export function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Return the schema without `$ref` and `allOf` at its top level. `root` is the document that references point into.
 * @param {Schema | boolean | undefined} schema
 * @param {Schema} root
 * @returns {Schema}
 */
export function resolve(schema, root) {
  let resolved = isObject(schema) ? /** @type {Schema} */ (schema) : {};
  for (let count = 0; resolved.$ref !== undefined; count++) {
    if (count === MAX_REFERENCES) return {};
    const { $ref, ...rest } = resolved;
    resolved = { ...target($ref, root), ...rest };
  }
  if (!Array.isArray(resolved.allOf)) return resolved;
  const { allOf, ...rest } = resolved;
  return allOf.reduce((merged, part) => merge(merged, resolve(part, root)), rest);
}

/**
 * Return the schema that a JSON Pointer such as `#/$defs/Scene` points to; `{}` if there is none.
 * @param {string} reference
 * @param {Schema} root
 * @returns {Schema}
 */
function target(reference, root) {
  /** @type {unknown} */
  let found = reference.startsWith("#") ? root : {};
  for (const part of reference.split("/").slice(1)) {
    const key = decoded(part).replaceAll("~1", "/").replaceAll("~0", "~");
    found = typeof found === "object" && found !== null ? /** @type {any} */ (found)[key] : undefined;
  }
  return isObject(found) ? /** @type {Schema} */ (found) : {};
}

/**
 * Return a part of a URI without its escapes, or as it is if one of them is invalid, such as a single `%`.
 * @param {string} part
 */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/**
 * Return one schema for a value that has to match both.
 * @param {Schema} a
 * @param {Schema} b
 * @returns {Schema}
 */
function merge(a, b) {
  const merged = { ...a, ...b };
  if (a.properties || b.properties) merged.properties = { ...a.properties, ...b.properties };
  if (a.required || b.required) merged.required = [...(a.required ?? []), ...(b.required ?? [])];
  return merged;
}

/**
 * Return a resolved schema without the alternative `null`, and whether it had that alternative.
 * @param {Schema} schema
 * @param {Schema} root
 * @returns {{ schema: Schema, isNullable: boolean }}
 */
export function splitNull(schema, root) {
  if (Array.isArray(schema.type) && schema.type.includes("null")) {
    const type = schema.type.filter((each) => each !== "null");
    return { schema: { ...schema, type: type.length === 1 ? type[0] : type }, isNullable: type.length > 0 };
  }
  const branches = alternatives(schema);
  const others = branches.filter((branch) => !isNull(resolve(branch, root)));
  if (others.length === branches.length || others.length === 0) return { schema, isNullable: false };
  if (others.length > 1) return { schema: { ...schema, anyOf: others, oneOf: undefined }, isNullable: true };
  const only = resolve(others[0], root);
  const { title = only.title, description, default: value = only.default } = schema;
  return { schema: { ...only, title, default: value, description: only.description ?? description }, isNullable: true };
}

/** @param {Schema} schema */
function isNull(schema) {
  return schema.type === "null" || schema.const === null;
}

/**
 * Return the alternatives of a schema; none if it is no union.
 * @param {Schema} schema
 * @returns {(Schema | boolean)[]}
 */
export function alternatives(schema) {
  if (Array.isArray(schema.type)) return schema.type.map((type) => ({ ...schema, type }));
  return schema.anyOf ?? schema.oneOf ?? [];
}

/**
 * Return the values to choose from; undefined if the schema is no enumeration.
 * @param {Schema} schema
 * @param {Schema} root
 * @returns {Json[] | undefined}
 */
export function choices(schema, root) {
  if (Array.isArray(schema.enum)) return schema.enum;
  const branches = alternatives(schema).map((branch) => resolve(branch, root));
  if (branches.length === 0 || !branches.every((branch) => branch.const !== undefined)) return undefined;
  return branches.map((branch) => /** @type {Json} */ (branch.const));
}

/**
 * Return whether an object can have any further keys of one schema, as `z.record` and `z.catchall` allow.
 * @param {Schema} schema
 */
export function hasFurtherKeys(schema) {
  return isObject(schema.additionalProperties) && Object.keys(schema.additionalProperties).length > 0;
}

/**
 * Return whether a value has the types, constants and required keys of a schema.
 * @param {Schema | boolean | undefined} given
 * @param {Json | undefined} value
 * @param {Schema} root
 * @returns {boolean}
 */
export function accepts(given, value, root, depth = 0) {
  if (depth > MAX_DEPTH) return true;
  const schema = resolve(given, root);
  if (schema.const !== undefined) return isEqual(schema.const, value);
  if (schema.enum) return schema.enum.some((each) => isEqual(each, value));
  const branches = alternatives(schema);
  if (branches.length > 0) return branches.some((branch) => accepts(branch, value, root, depth + 1));
  if (typeof schema.type === "string" && !hasType(value, schema.type)) return false;
  const further = (/** @type {Schema | boolean | undefined} */ of, /** @type {Json | undefined} */ part) =>
    accepts(of, part, root, depth + 1);
  if (Array.isArray(value)) {
    const { prefixItems = [], items } = schema;
    return value.every((item, index) => further(prefixItems[index] ?? items, item));
  }
  if (!isObject(value)) return value !== undefined;
  const { properties = {}, required = [] } = schema;
  return required.every((key) => key in value)
    && Object.entries(properties).every(([key, part]) => !(key in value) || further(part, value[key]));
}

/**
 * @param {Json | undefined} value
 * @param {string} type
 */
function hasType(value, type) {
  if (type === "integer") return Number.isInteger(value);
  if (type === "array") return Array.isArray(value);
  if (type === "object") return isObject(value);
  return type === "null" ? value === null : typeof value === type;
}

/**
 * @param {unknown} a
 * @param {unknown} b
 */
export function isEqual(a, b) {
  return JSON.stringify(a) === JSON.stringify(b);
}

/**
 * Return a value for a new part of the props: the schema's default, or the simplest value of its type. Null if all
 * values are too deep.
 * @param {Schema | boolean | undefined} schema
 * @param {Schema} root
 * @returns {Json}
 */
export function initialValue(schema, root) {
  for (const depth of INITIAL_DEPTHS) {
    const value = valueWithin(depth, schema, root);
    if (value !== undefined) return value;
  }
  return null;
}

/**
 * Return such a value that is at most this deep; undefined if there is none.
 * @param {number} depth
 * @param {Schema | boolean | undefined} given
 * @param {Schema} root
 * @returns {Json | undefined}
 */
function valueWithin(depth, given, root) {
  const { schema, isNullable } = splitNull(resolve(given, root), root);
  if (schema.default !== undefined) return schema.default;
  if (schema.const !== undefined) return schema.const;
  if (isNullable) return null;
  if (depth === 0) return undefined;
  if (schema.enum) return schema.enum[0] ?? null;
  const branches = alternatives(schema);
  if (branches.length > 0) return first(branches, (branch) => valueWithin(depth - 1, branch, root));
  switch (schema.type) {
    case "string":
      return schema.description === "__remotion-color" ? "#000000" : "";
    case "number":
    case "integer":
      return initialNumber(schema);
    case "boolean":
      return false;
    case "array":
      return all(initialItems(schema), (item) => valueWithin(depth - 1, item, root));
    case "object":
      return initialObject(schema, root, depth);
    default:
      return null;
  }
}

/**
 * Return the first result that is not undefined.
 * @template T
 * @param {T[]} items
 * @param {(item: T) => Json | undefined} convert
 */
function first(items, convert) {
  for (const item of items) {
    const value = convert(item);
    if (value !== undefined) return value;
  }
  return undefined;
}

/**
 * Return all results; undefined if one of them is undefined.
 * @template T
 * @param {T[]} items
 * @param {(item: T) => Json | undefined} convert
 */
function all(items, convert) {
  const values = items.map(convert);
  return values.every((value) => value !== undefined) ? values : undefined;
}

/** @param {Schema} schema */
function initialNumber({ minimum = -Infinity, exclusiveMinimum, maximum = Infinity, multipleOf = 1 }) {
  const least = exclusiveMinimum === undefined ? minimum : exclusiveMinimum + multipleOf;
  return Math.min(maximum, Math.max(least, 0));
}

/** @param {Schema} schema */
function initialItems({ prefixItems = [], items, minItems = 0 }) {
  const count = Math.min(minItems, MAX_INITIAL_ITEMS) - prefixItems.length;
  return [...prefixItems, ...Array(Math.max(0, count)).fill(items)];
}

/**
 * @param {Schema} schema
 * @param {Schema} root
 * @param {number} depth
 */
function initialObject({ properties = {}, required = [] }, root, depth) {
  const kept = Object.keys(properties).filter(
    (key) => required.includes(key) || resolve(properties[key], root).default !== undefined,
  );
  const values = all(kept, (key) => valueWithin(depth - 1, properties[key], root));
  return values && Object.fromEntries(kept.map((key, index) => [key, values[index]]));
}
