// Reads how the renderer lays out the text of the form, for the preview.

/** @import { StartInput, TextLayout } from "../../types.d.ts" */

const DELAY_MS = 150; // after the last change

export class LayoutReader {
  #read;
  #key = "";
  /** @type {Promise<TextLayout | null>} */
  #layout = Promise.resolve(null);

  /**
   * `read` returns the layout for an input, null if the server has none.
   * @param {(input: StartInput) => Promise<TextLayout | null>} read
   */
  constructor(read) {
    this.#read = read;
  }

  /** Read again even if the input is the same. */
  reset() {
    this.#key = "";
  }

  /**
   * Return the layout for an input, null if it can't be read or another input was given since.
   * @param {StartInput} input
   */
  get(input) {
    const key = JSON.stringify(input);
    if (key === this.#key) return this.#layout;
    this.#key = key;
    return (this.#layout = this.#readLater(input, key));
  }

  /**
   * @param {StartInput} input
   * @param {string} key
   */
  async #readLater(input, key) {
    await new Promise((resolve) => {
      setTimeout(resolve, DELAY_MS);
    });
    if (key !== this.#key) return null;
    try {
      return await this.#read(input);
    } catch {
      if (key === this.#key) this.reset();
      return null;
    }
  }
}
