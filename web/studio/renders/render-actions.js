// The actions of the buttons. Each throws an error whose message is a sentence for the user.

import { ApiError } from "../api.js";
import { byId } from "../dom.js";
import * as format from "../format.js";
import * as operations from "../operations.js";
import { share } from "./share-dialog.js";

/** @import { Quota } from "../quota.js" */
/** @import { RenderStore } from "./render-store.js" */
/** @import { MutationError, MutationResult, Render, RenderActions, Settings, StartInput } from "../../types.d.ts" */

/** @implements {RenderActions} */
export class Actions {
  #request;
  #store;
  #quota;
  #useSettings;

  /**
   * @param {object} parts
   * @param {(query: string, variables: Record<string, unknown>) => Promise<any>} parts.request
   * @param {RenderStore} parts.store
   * @param {Quota} parts.quota
   * @param {(text: string) => void} parts.announce
   * @param {(render: Render) => void} parts.readTitle
   * @param {(settings: Settings) => Promise<void>} parts.useSettings
   */
  constructor({ request, store, quota, announce, readTitle, useSettings }) {
    this.#request = request;
    this.#store = store;
    this.#quota = quota;
    this.announce = announce;
    this.readTitle = readTitle;
    this.#useSettings = useSettings;
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
    if (error?.__typename === "RenderQuotaExceeded") throw new ApiError(this.#quota.sentence);
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

  /** @param {string} id */
  async cancelBatch(id) {
    const { cancelBatch } = await this.#request(operations.CANCEL_BATCH, { id });
    if (cancelBatch.message) throw new ApiError(cancelBatch.message);
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

  /**
   * Fill in the form with the settings of a render.
   * @param {Render} render
   */
  async useSettings(render) {
    /** @type {{ render: Settings | null }} */
    const { render: settings } = await this.#request(operations.READ_SETTINGS, { id: render.id });
    if (!settings) throw new ApiError("This render was deleted.");
    await this.#useSettings(settings);
    this.announce(`The form has the settings of ${format.name(render)}.`);
  }

  /** @param {Render} render */
  async refreshUrl({ id }) {
    const { refreshDownloadUrl } = await this.#request(operations.REFRESH_URL, { id });
    const error = this.#apply(refreshDownloadUrl);
    if (error) throw new ApiError(error.message);
  }

  /**
   * Let the user make a link to the render.
   * @param {Render} render
   */
  share(render) {
    return share(render, async (seconds) => {
      const { renderToken } = await this.#request(operations.SHARE, { id: render.id, seconds });
      if (renderToken.message) throw new ApiError(renderToken.message);
      return renderToken;
    });
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
