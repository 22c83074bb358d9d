// What all generated fields have in common: the label, the hint, the description and the place for problems.

import { create, setText } from "../dom.js";
import { descriptionOf, hintOf } from "./labels.js";

/** @import { Field, FieldSpec } from "../../types.d.ts" */

const CLEAR = "clear-problem"; // an event

let lastId = 0;

/** Return an id that no other element has. */
export function uniqueId() {
  lastId += 1;
  return `field-${lastId}`;
}

/** A field's value can't be read. The message is a sentence for the user. */
export class InvalidField extends Error {
  /**
   * @param {Pick<Field, "showProblem">} field
   * @param {string} message
   */
  constructor(field, message) {
    super(message);
    this.field = field;
  }
}

/** Remove the problems of all controls and groups in an element. */
export function clearProblems(/** @type {HTMLElement} */ element) {
  for (const invalid of element.querySelectorAll("[data-invalid]")) invalid.dispatchEvent(new Event(CLEAR));
}

/** Notify everything around this element of a change that no control has reported. */
export function reportChange(/** @type {HTMLElement} */ element) {
  element.dispatchEvent(new Event("input", { bubbles: true }));
}

/**
 * Return a button with a short visible text and a complete name for screen readers.
 * @param {string} text
 * @param {() => void} onClick
 */
export function createButton(text, onClick) {
  const button = create("button", "secondary");
  button.type = "button";
  button.textContent = text;
  button.addEventListener("click", onClick);
  return button;
}

/** Descriptions and the problem of a control or group. The problem disappears with the next change in `scope`. */
export class Notes {
  #owner;
  #problem;

  /**
   * `problem` is the element for problems, if the page has one.
   * @param {HTMLElement} owner The element that is described.
   * @param {HTMLElement} scope
   * @param {HTMLElement} [problem]
   */
  constructor(owner, scope, problem = create("p", "problem")) {
    this.#owner = owner;
    this.#problem = problem;
    this.add(this.#problem);
    scope.addEventListener("input", () => this.clear());
    owner.addEventListener(CLEAR, () => this.clear());
  }

  /** @param {HTMLElement} note */
  add(note) {
    note.id ||= uniqueId();
    const ids = this.#owner.getAttribute("aria-describedby")?.split(" ") ?? [];
    this.#owner.setAttribute("aria-describedby", [...new Set([...ids, note.id])].join(" "));
  }

  get element() {
    return this.#problem;
  }

  /**
   * Add a problem. A group has no attribute for this, but can be focused then.
   * @param {string} message
   */
  show(message) {
    this.#problem.textContent = [this.#problem.textContent, message].filter(Boolean).join(" ");
    this.#owner.dataset.invalid = "";
    if (this.#owner instanceof HTMLFieldSetElement) this.#owner.tabIndex = -1;
    else this.#owner.ariaInvalid = "true";
  }

  clear() {
    if (this.#owner.dataset.invalid === undefined) return;
    this.#problem.textContent = "";
    delete this.#owner.dataset.invalid;
    this.#owner.ariaInvalid = null;
  }
}

/** The frame of one control. */
export class ControlFrame {
  element = create("div", "field");
  #label = create("label");
  #notes;

  /**
   * `parts` are the elements that are shown in place of the control, if these are more than the control itself.
   * @param {HTMLElement} control
   * @param {FieldSpec} spec
   * @param {HTMLElement[]} parts
   */
  constructor(control, spec, parts = [control]) {
    control.id = uniqueId();
    this.#label.htmlFor = control.id;
    this.#label.classList.toggle("visually-hidden", spec.isLabelHidden === true);
    this.label = spec.label;
    this.#notes = new Notes(control, this.element);
    const hint = create("span", "hint field-value");
    hint.textContent = hintOf(spec.schema);
    const description = create("p", "hint");
    description.textContent = descriptionOf(spec.schema);
    this.element.append(...(hint.textContent ? [hint] : []), this.#label, ...parts);
    for (const note of [hint, description]) if (note.textContent) this.#notes.add(note);
    this.element.append(...(description.textContent ? [description] : []), this.#notes.element);
  }

  /** @param {string} text */
  set label(text) {
    setText(this.#label, text);
  }

  /** @param {string} message */
  showProblem(message) {
    this.#notes.show(message);
  }
}

/** The frame of several fields. */
export class GroupFrame {
  element = create("fieldset", "group");
  body = create("div", "group-body");
  #legend = create("legend");
  #notes;

  /** @param {FieldSpec} spec */
  constructor(spec) {
    this.#notes = new Notes(this.element, this.element);
    this.label = spec.label;
    this.#legend.classList.toggle("visually-hidden", spec.isLabelHidden === true);
    this.element.classList.toggle("bare", spec.isLabelHidden === true);
    this.element.append(this.#legend);
    for (const text of [descriptionOf(spec.schema), hintOf(spec.schema)]) {
      if (text) this.#addNote(text);
    }
    this.element.append(this.#notes.element, this.body);
  }

  /** @param {string} text */
  set label(text) {
    setText(this.#legend, text);
  }

  /** @param {string} message */
  showProblem(message) {
    this.#notes.show(message);
  }

  /** @param {string} text */
  #addNote(text) {
    const note = create("p", "hint");
    note.textContent = text;
    this.#notes.add(note);
    this.element.append(note);
  }
}
