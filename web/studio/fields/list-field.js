// Fields for arrays: lists, whose items can be added, removed and moved, and tuples.

import { create } from "../dom.js";
import { createButton, GroupFrame, reportChange } from "./frames.js";
import { initialValue, resolve } from "./schema.js";

/** @import { Field, FieldContext, FieldSpec, Json } from "../../types.d.ts" */

/** A list. The focus stays with the item that a button was pressed for. */
export class ListField {
  #frame;
  #spec;
  #context;
  #label;
  #list = create("ol", "items");
  #add = createButton("Add item", () => this.#addNew());
  /** @type {Item[]} */
  #items = [];
  #isChanged = false;

  /**
   * @param {FieldSpec} spec
   * @param {FieldContext} context
   */
  constructor(spec, context) {
    this.#spec = spec;
    this.#context = context;
    this.#label = spec.label;
    this.#frame = new GroupFrame(spec);
    this.#frame.body.append(this.#list, this.#add);
    for (const value of Array.isArray(spec.value) ? spec.value : []) this.#append(value);
    this.#update();
    this.element.addEventListener("input", () => (this.#isChanged = true));
  }

  get element() {
    return this.#frame.element;
  }

  /** @param {string} text */
  set label(text) {
    this.#label = text;
    this.#frame.label = text;
    this.#update();
  }

  /** @returns {Json | undefined} */
  get value() {
    return this.#isChanged ? this.#items.map(({ field }) => field.value ?? null) : this.#spec.value;
  }

  /**
   * @param {string[]} path
   * @param {string} message
   */
  showProblem([index, ...path], message) {
    const item = this.#items[Number(index)];
    if (index !== undefined && item) item.field.showProblem(path, message);
    else this.#frame.showProblem(message);
  }

  #addNew() {
    const item = this.#append(initialValue(this.#spec.schema.items, this.#context.root));
    this.#finish(`Added item ${this.#items.length}.`);
    const first = /** @type {HTMLElement | null} */ (item.field.element.querySelector(FOCUSABLE));
    (first ?? item.remove).focus();
  }

  /** @param {Json} value */
  #append(value) {
    const schema = resolve(this.#spec.schema.items, this.#context.root);
    const field = this.#context.create({ schema, value, label: "", isOptional: false, depth: this.#spec.depth + 1 });
    const item = new Item(field, {
      move: (by) => this.#move(item, by),
      remove: () => this.#remove(item),
    });
    this.#items.push(item);
    this.#list.append(item.element);
    return item;
  }

  /**
   * @param {Item} item
   * @param {1 | -1} by
   */
  #move(item, by) {
    const from = this.#items.indexOf(item);
    const other = this.#items[from + by];
    [this.#items[from], this.#items[from + by]] = [other, item];
    // The other one is moved in the page: an element that is moved loses the focus.
    if (by === 1) item.element.before(other.element);
    else item.element.after(other.element);
    this.#finish(`Moved to position ${from + by + 1} of ${this.#items.length}.`);
    const [pressed, opposite] = by === 1 ? [item.down, item.up] : [item.up, item.down];
    (pressed.disabled ? opposite : pressed).focus();
  }

  /** @param {Item} item */
  #remove(item) {
    const index = this.#items.indexOf(item);
    this.#items.splice(index, 1);
    item.element.remove();
    this.#finish(`Removed item ${index + 1}.`);
    const next = this.#items[Math.min(index, this.#items.length - 1)];
    (next && !next.remove.disabled ? next.remove : this.#add).focus();
  }

  /** @param {string} announcement */
  #finish(announcement) {
    this.#update();
    reportChange(this.element);
    this.#context.announce(announcement);
  }

  /** Number the items, and disable the buttons that can't be used. */
  #update() {
    const { minItems = 0, maxItems = Infinity } = this.#spec.schema;
    const count = this.#items.length;
    this.#add.ariaLabel = `Add item to ${this.#label}`;
    this.#add.disabled = count >= maxItems;
    for (const [index, item] of this.#items.entries()) {
      item.number(index + 1, { of: this.#label, isLast: index === count - 1, canRemove: count > minItems });
    }
  }
}

const FOCUSABLE = "input:not([tabindex='-1'], [type='color']), textarea, select, button:not([disabled])";

/** An item with its buttons. */
class Item {
  element = create("li", "item");

  /**
   * @param {Field} field
   * @param {{ move: (by: 1 | -1) => void, remove: () => void }} actions
   */
  constructor(field, { move, remove }) {
    this.field = field;
    this.up = createButton("↑", () => move(-1));
    this.down = createButton("↓", () => move(1));
    this.remove = createButton("✕", remove);
    const buttons = create("div", "item-buttons");
    buttons.append(this.up, this.down, this.remove);
    this.element.append(field.element, buttons);
  }

  /**
   * @param {number} position
   * @param {{ of: string, isLast: boolean, canRemove: boolean }} place
   */
  number(position, { of, isLast, canRemove }) {
    this.field.label = `Item ${position}`;
    this.up.ariaLabel = `Move item ${position} of ${of} up`;
    this.down.ariaLabel = `Move item ${position} of ${of} down`;
    this.remove.ariaLabel = `Remove item ${position} of ${of}`;
    this.up.disabled = position === 1;
    this.down.disabled = isLast;
    this.remove.disabled = !canRemove;
  }
}

/** An array with a fixed number of items, each with a schema of its own. */
export class TupleField {
  #frame;
  /** @type {Field[]} */
  #fields;

  /**
   * @param {FieldSpec} spec
   * @param {FieldContext} context
   */
  constructor(spec, context) {
    const { schema: { prefixItems = [] }, depth } = spec;
    const values = Array.isArray(spec.value) ? spec.value : [];
    this.#frame = new GroupFrame(spec);
    this.#fields = prefixItems.map((given, index) => {
      const schema = resolve(given, context.root);
      const { [index]: value = initialValue(schema, context.root) } = values;
      return context.create({ schema, value, label: schema.title ?? `Item ${index + 1}`, isOptional: false, depth: depth + 1 });
    });
    this.#frame.body.append(...this.#fields.map(({ element }) => element));
  }

  get element() {
    return this.#frame.element;
  }

  /** @param {string} text */
  set label(text) {
    this.#frame.label = text;
  }

  /** @returns {Json} */
  get value() {
    return this.#fields.map((field) => field.value ?? null);
  }

  /**
   * @param {string[]} path
   * @param {string} message
   */
  showProblem([index, ...path], message) {
    const field = this.#fields[Number(index)];
    if (index !== undefined && field) field.showProblem(path, message);
    else this.#frame.showProblem(message);
  }
}
