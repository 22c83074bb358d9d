// The queries of the form. Each throws `ApiError`.

import { ApiError } from "../api.js";
import * as operations from "../operations.js";

/** @import { CompositionProps, StartInput, TextLayout } from "../../types.d.ts" */

export class FormRequests {
  #request;

  /** @param {(query: string, variables: Record<string, unknown>) => Promise<any>} request */
  constructor(request) {
    this.#request = request;
  }

  /**
   * Return what the form of a composition needs.
   * @param {string} id
   * @returns {Promise<CompositionProps>}
   */
  async readProps(id) {
    /** @type {{ composition: CompositionProps | null }} */
    const { composition } = await this.#request(operations.READ_COMPOSITION, { id });
    if (!composition) throw new ApiError("The server has no composition with this id any more.");
    return composition;
  }

  /**
   * Return how the renderer draws the text of an animation; null if the input is not valid or Remotion draws it.
   * @param {StartInput} input
   * @returns {Promise<TextLayout | null>}
   */
  async readLayout({ animationProps, output }) {
    /** @type {{ textLayout: TextLayout | null }} */
    const { textLayout } = await this.#request(operations.READ_LAYOUT, { animationProps, output });
    return textLayout;
  }

  /**
   * Return the JSON Pointers of the problems of an input, from the input.
   * @param {StartInput} input
   * @returns {Promise<string[]>}
   */
  async check(input) {
    /** @type {{ checkRenders: { path: string }[] }} */
    const { checkRenders } = await this.#request(operations.CHECK, { input });
    return checkRenders.map(({ path }) => path.replace("/renders/0", ""));
  }
}
