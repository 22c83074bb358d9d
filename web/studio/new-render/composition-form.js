// The form for the props of a composition, generated from its schema.

import { SchemaForm } from "../fields/schema-form.js";

/** @import { CompositionProps, JsonObject, StartInput } from "../../types.d.ts" */

export class CompositionForm {
  #id;
  #props;
  #form;

  /**
   * @param {string} id Of the composition.
   * @param {CompositionProps} props
   * @param {(text: string) => void} announce
   * @param {JsonObject} values That the form has at first.
   */
  constructor(id, props, announce, values = props.defaultProps) {
    this.#id = id;
    this.#props = JSON.stringify([props.propsSchema, props.defaultProps]);
    this.#form = new SchemaForm(props.propsSchema, values, announce);
  }

  get element() {
    return this.#form.element;
  }

  /**
   * Return whether a newer copy of the props is the same.
   * @param {CompositionProps} props
   */
  isFor({ propsSchema, defaultProps }) {
    return JSON.stringify([propsSchema, defaultProps]) === this.#props;
  }

  /** @returns {StartInput} */
  get input() {
    return { composition: { id: this.#id, props: this.#form.props } };
  }

  /**
   * Show a problem at its field. Return whether there is one.
   * @param {string[]} path From the props.
   * @param {string} message
   */
  showProblem(path, message) {
    return this.#form.showProblem(path, message);
  }
}
