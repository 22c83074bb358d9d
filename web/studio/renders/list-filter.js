// The search and the filter by status above the list of renders.
//
// The server filters by status. The search compares texts and ids of compositions and batches, of the renders that the
// page has read.

import { byId } from "../dom.js";
import * as format from "../format.js";

/** @import { Render } from "../../types.d.ts" */

/** @type {Record<string, { statuses: Render["status"][], name: string }>} */
const LISTS = {
  "": { statuses: [], name: "" },
  ACTIVE: { statuses: ["QUEUED", "RENDERING"], name: "unfinished" },
  COMPLETE: { statuses: ["COMPLETE"], name: "finished" },
  FAILED: { statuses: ["FAILED"], name: "failed" },
  CANCELLED: { statuses: ["CANCELLED"], name: "cancelled" },
};

export class ListFilter {
  #search = byId("search", HTMLInputElement);
  #status = byId("status-filter", HTMLSelectElement);

  /** @param {() => void} onChange */
  constructor(onChange) {
    this.#search.addEventListener("input", onChange);
    this.#status.addEventListener("input", onChange);
  }

  /** The name of the list, empty for that of all renders. */
  get list() {
    return this.#status.value;
  }

  /** The statuses for the server's filter; undefined for all. */
  get statuses() {
    const { statuses } = LISTS[this.list];
    return statuses.length > 0 ? statuses : undefined;
  }

  get isSearch() {
    return words(this.#search.value).length > 0;
  }

  get isActive() {
    return this.isSearch || this.list !== "";
  }

  clear() {
    this.#search.value = this.#status.value = "";
  }

  /**
   * Return whether a render is in the list, whatever is searched.
   * @param {Render} render
   */
  isInList({ status }) {
    return this.statuses?.includes(status) ?? true;
  }

  /** @param {Render} render */
  matches(render) {
    if (!this.isInList(render)) return false;
    const wanted = words(this.#search.value);
    if (wanted.length === 0) return true;
    const text = words(`${format.title(render)} ${render.compositionId} ${render.batchId ?? ""}`).join(" ");
    return wanted.every((word) => text.includes(word));
  }

  /**
   * Return what the list shows, such as "3 of 20 renders match." `isComplete` means that no older ones exist.
   * @param {{ shown: number, loaded: number, isComplete: boolean }} counts `loaded` are those before the search.
   */
  summary({ shown, loaded, isComplete }) {
    const { name } = LISTS[this.list];
    const kind = (/** @type {number} */ number) => [...(name ? [name] : []), number === 1 ? "render" : "renders"].join(" ");
    const all = isComplete ? `${loaded} ${kind(loaded)}` : `the newest ${loaded} ${kind(loaded)}`;
    if (this.isSearch) return `${shown} of ${all} ${shown === 1 ? "matches" : "match"}.`;
    if (loaded === 0) return "";
    return isComplete ? `${all}.` : `${all[0].toUpperCase()}${all.slice(1)}.`;
  }

  /** What is shown in place of an empty list. */
  get emptyText() {
    const { name } = LISTS[this.list];
    return this.isSearch ? "Nothing matches the search." : `No ${name ? `${name} ` : ""}renders.`;
  }
}

/**
 * Return the words of a text without differences of case and accents.
 * @param {string} text
 */
function words(text) {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase().split(/\s+/).filter(Boolean);
}
