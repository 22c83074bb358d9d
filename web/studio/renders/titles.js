// Reads the titles of renders. They are in the props, which can be large: each is read by a query of its own.

import * as format from "../format.js";
import { READ_INPUT } from "../operations.js";

/** @import { JsonObject, Render } from "../../types.d.ts" */

const AT_ONCE = 3; // queries without a response

/** @param {Render} render */
export function needsTitle(render) {
  return !render.animationProps && render.title === undefined;
}

export class Titles {
  #request;
  #user = {}; // replaced when the user changes
  /** @type {Map<string, Promise<string | undefined>>} */
  #reads = new Map(); // the running and waiting reads by the render's id
  /** @type {Promise<unknown>[]} */
  #last = Array(AT_ONCE).fill(undefined); // the last read of each sequence of reads
  #next = 0;

  /** @param {(query: string, variables: Record<string, unknown>) => Promise<any>} request */
  constructor(request) {
    this.#request = request;
  }

  /**
   * Return the title of a render: the composition's id if its props can't be read, undefined if it was deleted or the
   * user has changed.
   * @param {Render} render
   * @returns {Promise<string | undefined>}
   */
  read(render) {
    const running = this.#reads.get(render.id);
    if (running) return running;
    const read = this.#readAfter(this.#last[this.#next], render);
    this.#reads.set(render.id, read);
    this.#last[this.#next] = read;
    this.#next = (this.#next + 1) % AT_ONCE;
    return read;
  }

  /** Forget all reads: the user changes. */
  clear() {
    this.#user = {};
    this.#reads.clear();
  }

  /**
   * @param {Promise<unknown>} previous
   * @param {Render} render
   */
  async #readAfter(previous, render) {
    const user = this.#user;
    await previous;
    if (user !== this.#user) return undefined;
    const title = await this.#request(READ_INPUT, { id: render.id }).then(
      (/** @type {{ render: { inputProps: JsonObject } | null }} */ { render: found }) =>
        found ? format.titleOf(render.compositionId, found.inputProps) : undefined,
      () => render.compositionId,
    );
    if (user !== this.#user) return undefined;
    this.#reads.delete(render.id);
    return title;
  }
}
