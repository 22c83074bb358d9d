// The part of the page with the user's renders: the search and filter, the list, and what is shown while it is empty.

import { byId, setText } from "../dom.js";
import { OLDER } from "../operations.js";
import { showProgressInTitle } from "../tab-title.js";
import { ListFilter } from "./list-filter.js";
import { RenderList } from "./render-list.js";

/** @import { RenderStore } from "./render-store.js" */
/** @import { Render, RenderActions, RenderConnection } from "../../types.d.ts" */

const MAX_PAGES = 10; // that are read at once until one has a render that becomes visible
const ANNOUNCE_DELAY_MS = 700; // after the last change of the filter
const MIN_SHOWN = 20; // cards of a filtered list before another page is read

export class RendersPanel {
  list;
  #store;
  #request;
  #onError;
  #announce;
  #filter = new ListFilter(() => this.#showFiltered());
  #loadOlder = byId("load-older", HTMLButtonElement);
  #hasBeenRead = false;
  #hasRendered = false; // whether the user has had a render since they were signed in
  /** @type {string | undefined} */
  #reading; // the name of the list of which a page is read
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #announceTimer;

  /**
   * `request` sends a query, `onError` receives sentences for the user.
   * @param {object} parts
   * @param {RenderStore} parts.store
   * @param {RenderActions} parts.actions
   * @param {(query: string, variables?: Record<string, unknown>) => Promise<any>} parts.request
   * @param {(message: string) => void} parts.onError
   */
  constructor({ store, actions, request, onError }) {
    this.#store = store;
    this.#request = request;
    this.#onError = onError;
    this.#announce = actions.announce;
    this.list = new RenderList(byId("renders", HTMLElement), actions, (render) => this.#isShown(render));
    this.#loadOlder.addEventListener("click", () => this.#readOlder({ focuses: true }));
    byId("clear-filter", HTMLButtonElement).addEventListener("click", () => {
      byId("search", HTMLElement).focus();
      this.#clearFilter();
    });
  }

  /** Whether the newest renders have been read since the user was signed in. */
  get hasBeenRead() {
    return this.#hasBeenRead;
  }

  /** Forget all renders: the user changes. */
  clear() {
    this.#hasBeenRead = this.#hasRendered = false;
    this.#filter.clear();
    this.#store.clear();
    this.update();
  }

  /**
   * Read the newest renders, which `request` returns.
   * @param {() => Promise<RenderConnection>} request
   */
  async readNewest(request) {
    await this.#store.readNewest(request);
    this.#hasBeenRead = true;
    this.list.filter();
    this.update();
  }

  /**
   * Scroll to a render unless it is in view, also if the filter would hide it.
   * @param {string} id
   */
  reveal(id) {
    if (this.list.reveal(id)) return;
    this.#clearFilter();
    this.list.reveal(id);
  }

  /** Update what depends on all renders, once for many changes. */
  update() {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#hasRendered ||= this.#store.size > 0;
      this.#showSummary();
      byId("list-tools", HTMLElement).hidden = !this.#hasRendered;
      byId("first-visit", HTMLElement).hidden = this.#hasRendered || !this.#hasBeenRead;
      showProgressInTitle(this.#store);
    });
  }

  #showSummary() {
    const { list } = this.#filter;
    const isComplete = !this.#store.hasOlder(list);
    const loaded = [...this.#store].filter((render) => this.#filter.isInList(render) && this.#store.isCovered(render, list));
    const shown = loaded.filter((render) => this.#filter.matches(render)).length;
    setText(byId("list-summary", HTMLElement), this.#filter.summary({ shown, loaded: loaded.length, isComplete }));
    setText(byId("empty", HTMLElement), this.#filter.emptyText);
    byId("empty", HTMLElement).hidden = !this.#hasRendered || shown > 0 || (!isComplete && !this.#filter.isSearch);
    byId("clear-filter", HTMLElement).hidden = !this.#filter.isActive;
    this.#loadOlder.hidden = isComplete || !this.#hasBeenRead;
    setText(this.#loadOlder, this.#filter.isSearch ? "Search older renders" : "Show older renders");
  }

  #announceSummary() {
    this.#announce(byId("list-summary", HTMLElement).textContent || this.#filter.emptyText);
  }

  /** @param {Render} render */
  #isShown(render) {
    return this.#filter.matches(render) && this.#store.isCovered(render, this.#filter.list);
  }

  #clearFilter() {
    this.#filter.clear();
    this.#showFiltered();
  }

  /** Show the renders that the filter admits, and read the newest of them. */
  #showFiltered() {
    this.list.filter();
    this.update();
    clearTimeout(this.#announceTimer);
    this.#announceTimer = setTimeout(() => this.#announceSummary(), ANNOUNCE_DELAY_MS);
    if (this.#filter.list !== "" && this.list.visibleCards.length < MIN_SHOWN) this.#readOlder({ focuses: false });
  }

  /**
   * Read older renders of the list until one of them becomes visible.
   * @param {{ focuses: boolean }} options
   */
  async #readOlder({ focuses }) {
    const { list, statuses } = this.#filter;
    const before = new Set(this.list.visibleCards);
    const found = () => this.list.visibleCards.find((card) => !before.has(card));
    if (this.#reading === list) return;
    this.#reading = list;
    try {
      for (let pages = 0; pages < MAX_PAGES && this.#store.hasOlder(list) && this.#filter.list === list && !found(); pages++) {
        await this.#store.readOlder(list, (after) => this.#readPage(after, statuses));
        this.list.filter();
      }
      if (focuses) found()?.focus();
    } catch (error) {
      this.#onError(error instanceof Error ? error.message : String(error));
    }
    this.#reading = undefined;
    this.update();
  }

  /**
   * @param {string | null} after A cursor.
   * @param {Render["status"][] | undefined} status
   */
  async #readPage(after, status) {
    /** @type {{ renders: RenderConnection }} */
    const { renders } = await this.#request(OLDER, { after, filter: { status } });
    return renders;
  }
}
