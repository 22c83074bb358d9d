// Stores the newest copy of each render that the page has read. The copies can arrive in any order.

/** @import { Render, RenderConnection } from "../../types.d.ts" */

const UNFINISHED = new Set(["QUEUED", "RENDERING"]);
const ALL = "";

/** @param {Render} render */
export function isUnfinished(render) {
  return UNFINISHED.has(render.status);
}

/** How far a list has been read: the list of all renders, or of those with some statuses. */
class Reach {
  /** @type {string | null} */
  cursor = null;
  hasOlder = true;
  /** @type {Render | undefined} */
  oldest;

  /** @param {RenderConnection} page */
  extend({ edges, pageInfo }) {
    this.cursor = pageInfo.endCursor;
    this.hasOlder = pageInfo.hasNextPage;
    this.oldest = edges.at(-1)?.node ?? this.oldest;
  }

  /** @param {Render} render */
  covers(render) {
    return !this.hasOlder || (this.oldest !== undefined && byAge(render, this.oldest) <= 0);
  }
}

export class RenderStore {
  #onChange;
  /** @type {Map<string, Render>} */
  #byId = new Map();
  /** @type {Render[]} */
  #sorted = []; // newest first
  /** @type {Set<string>} */
  #deleted = new Set(); // a late message must not add these again
  /** @type {Map<string, number>} */
  #receivedAt = new Map(); // time of the last copy of each render, by this device's clock
  /** @type {Map<string, Reach>} */
  #reaches = new Map(); // by the name of the list

  /**
   * `onChange(render, before)` is called after each change. `before` is undefined for a new render, `render` for a
   * removed one.
   * @param {(render: Render | undefined, before: Render | undefined) => void} onChange
   */
  constructor(onChange) {
    this.#onChange = onChange;
  }

  get size() {
    return this.#byId.size;
  }

  /** @param {string} id */
  has(id) {
    return this.#byId.has(id);
  }

  /** Iterate over the renders, newest first. */
  [Symbol.iterator]() {
    return this.#sorted.values();
  }

  /**
   * Return the id of the next older render that fulfils a condition.
   * @param {string} id
   * @param {(id: string) => boolean} condition
   */
  olderThan(id, condition) {
    const render = this.#byId.get(id);
    for (let place = render ? this.#place(render) + 1 : Infinity; place < this.#sorted.length; place++) {
      if (condition(this.#sorted[place].id)) return this.#sorted[place].id;
    }
    return undefined;
  }

  /**
   * Store a copy unless a newer one is stored. What it leaves out is kept.
   * @param {Render} render
   */
  merge(render) {
    const before = this.#byId.get(render.id);
    if (this.#deleted.has(render.id)) return;
    this.#receivedAt.set(render.id, Date.now());
    if (before && before.revision > render.revision) return;
    this.#put({ ...before, ...render }, before);
  }

  /**
   * Set the title of a render if it is still stored.
   * @param {string} id
   * @param {string} title
   */
  setTitle(id, title) {
    const before = this.#byId.get(id);
    if (before) this.#put({ ...before, title }, before);
  }

  /** @param {string} id */
  remove(id) {
    const before = this.#byId.get(id);
    if (before) this.#sorted.splice(this.#place(before), 1);
    this.#deleted.add(id);
    this.#byId.delete(id);
    this.#receivedAt.delete(id);
    if (before) this.#onChange(undefined, before);
  }

  clear() {
    this.#reaches.clear();
    for (const id of this.#byId.keys()) this.remove(id);
    this.#deleted.clear();
  }

  /**
   * Return whether the list with this name has renders that were not read. `list` is empty for the list of all.
   * @param {string} list
   */
  hasOlder(list) {
    return this.#reach(ALL).hasOlder && this.#reach(list).hasOlder;
  }

  /**
   * Return whether all newer renders of a list are stored too, so that it can be shown without a gap.
   * @param {Render} render
   * @param {string} list
   */
  isCovered(render, list) {
    return this.#reach(ALL).covers(render) || this.#reach(list).covers(render);
  }

  /**
   * Store the first page of all renders, which `request` returns, and remove renders that were deleted elsewhere.
   * @param {() => Promise<RenderConnection>} request
   */
  async readNewest(request) {
    const known = [...this.#sorted];
    const page = await request();
    const { edges, pageInfo } = page;
    const listed = new Map(edges.map(({ node }) => [node.id, node]));
    const oldest = edges.at(-1)?.node;
    for (const render of known) {
      const isCovered = !pageInfo.hasNextPage || (oldest !== undefined && byAge(render, oldest) < 0);
      if (isCovered && !listed.has(render.id)) this.remove(render.id);
    }
    const reach = this.#reach(ALL);
    if (reach.cursor === null || !pageInfo.hasNextPage) reach.extend(page);
    for (const render of listed.values()) this.merge(render);
  }

  /**
   * Store the next page of a list, which `request` returns for a cursor.
   * @param {string} list
   * @param {(cursor: string | null) => Promise<RenderConnection>} request
   */
  async readOlder(list, request) {
    const reach = this.#reach(list);
    const page = await request(reach.cursor);
    if (this.#reach(list) === reach) reach.extend(page); // another user's since
    for (const { node } of page.edges) this.merge(node);
  }

  /**
   * Return the unfinished renders that were not received for this time, without those of batches, and restart the time
   * for each of them.
   * @param {number} milliseconds
   */
  takeStale(milliseconds) {
    const now = Date.now();
    const isStale = (/** @type {Render} */ { id }) => (this.#receivedAt.get(id) ?? now) < now - milliseconds;
    const stale = this.#sorted.filter((each) => isUnfinished(each) && !each.batchId && isStale(each));
    for (const { id } of stale) this.#receivedAt.set(id, now);
    return stale;
  }

  /**
   * @param {Render} render
   * @param {Render | undefined} before
   */
  #put(render, before) {
    this.#byId.set(render.id, render);
    this.#sorted.splice(this.#place(before ?? render), before ? 1 : 0, render);
    this.#onChange(render, before);
  }

  /**
   * Return the index of a render, or the one that a new one gets.
   * @param {Render} render
   */
  #place(render) {
    let [low, high] = [0, this.#sorted.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (byAge(this.#sorted[middle], render) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** @param {string} list */
  #reach(list) {
    const reach = this.#reaches.get(list) ?? new Reach();
    this.#reaches.set(list, reach);
    return reach;
  }
}

/**
 * Compare two renders, newest first. Ids sort by time.
 * @param {Render} a
 * @param {Render} b
 */
function byAge(a, b) {
  return a.id === b.id ? 0 : a.id < b.id ? 1 : -1;
}
