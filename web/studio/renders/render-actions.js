// The actions of the buttons. Each throws an error whose message is a sentence for the user.

import { ApiError } from "../api.js";
import { byId } from "../dom.js";
import * as format from "../format.js";
import * as operations from "../operations.js";

/** @import { Quota } from "../quota.js" */
/** @import { RenderStore } from "./render-store.js" */
/** @import { MutationError, MutationResult, Render, RenderActions, StartInput } from "../../types.d.ts" */

/** @implements {RenderActions} */
export class Actions {
  #request;
  #store;
  #quota;

  /**
   * @param {object} parts
   * @param {(query: string, variables: Record<string, unknown>) => Promise<any>} parts.request
   * @param {RenderStore} parts.store
   * @param {Quota} parts.quota
   * @param {(text: string) => void} parts.announce
   */
  constructor({ request, store, quota, announce }) {
    this.#request = request;
    this.#store = store;
    this.#quota = quota;
    this.announce = announce;
  }

  /**
   * Start a render. Return it, or the error.
   * @param {StartInput} input
   * @returns {Promise<{ render?: Render, error?: MutationError }>}
   */
  async start(input) {
    const idempotencyKey = crypto.getRandomValues(new Uint32Array(4)).join("-"); // randomUUID needs HTTPS
    const { startRender } = await this.#request(operations.START, { input: { ...input, idempotencyKey } });
    const { composition } = input;
    const title = composition && format.titleOf(composition.id, composition.props);
    return { render: startRender.render, error: this.#apply(startRender, title) };
  }

  /** @param {Render} render */
  async retry({ id, title }) {
    const { retryRender } = await this.#request(operations.RETRY, { id });
    const error = this.#apply(retryRender, title);
    if (error) throw new ApiError(error.message);
    if (retryRender.duplicate) throw new ApiError("This render has already been retried; see the list.");
  }

  /** @param {Render} render */
  async cancel({ id }) {
    const { cancelRender } = await this.#request(operations.CANCEL, { id });
    if (cancelRender.__typename === "RenderNotFound") this.#store.remove(id);
    const error = this.#apply(cancelRender);
    if (error) throw new ApiError(error.message);
  }

  /** @param {Render} render */
  async remove(render) {
    if (!(await confirmDeletion(render))) return;
    const { deleteRender } = await this.#request(operations.DELETE, { id: render.id });
    const error = this.#apply(deleteRender);
    if (error && deleteRender.__typename !== "RenderNotFound") throw new ApiError(error.message);
    this.#store.remove(render.id);
    this.announce(`Deleted ${format.name(render)}.`);
  }

  /** @param {Render} render */
  async refreshUrl({ id }) {
    const { refreshDownloadUrl } = await this.#request(operations.REFRESH_URL, { id });
    const error = this.#apply(refreshDownloadUrl);
    if (error) throw new ApiError(error.message);
  }

  /**
   * Store the render, with its title if that is known, and the quota of a mutation's result. Return the result if it
   * is an error.
   * @param {MutationResult} result
   * @param {string} [title]
   * @returns {MutationError | undefined}
   */
  #apply(result, title) {
    if (result.render) this.#store.merge(title === undefined ? result.render : { ...result.render, title });
    if (result.quota) this.#quota.show(result.quota);
    const { message } = result;
    return message === undefined ? undefined : { ...result, message };
  }
}

/**
 * Ask the user whether to delete a render.
 * @param {Render} render
 * @returns {Promise<boolean>}
 */
function confirmDeletion(render) {
  const dialog = byId("confirm", HTMLDialogElement);
  byId("confirm-text", HTMLElement).textContent = `${format.name(render)} and its file will be permanently deleted.`;
  dialog.returnValue = "keep";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "delete"), { once: true });
  });
}
