// The form for the props of a composition, generated from its schema.

import { SchemaForm } from "../fields/schema-form.js";

/** @import { Composition, StartInput } from "../../types.d.ts" */

export class CompositionForm {
  #composition;
  #form;

  /**
   * @param {Composition} composition
   * @param {(text: string) => void} announce
   */
  constructor(composition, announce) {
    this.#composition = composition;
    this.#form = new SchemaForm(composition.propsSchema, composition.defaultProps, announce);
  }

  get element() {
    return this.#form.element;
  }

  /**
   * Return whether a newer copy of the composition has the same props.
   * @param {Composition} composition
   */
  isFor({ propsSchema, defaultProps }) {
    return JSON.stringify([propsSchema, defaultProps])
      === JSON.stringify([this.#composition.propsSchema, this.#composition.defaultProps]);
  }

  /** @returns {StartInput} */
  get input() {
    return { composition: { id: this.#composition.id, props: this.#form.props } };
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
