// Stores the newest copy of each render that the page has read. The copies can arrive in any order.

/** @import { Render, RenderConnection } from "../../types.d.ts" */

const UNFINISHED = new Set(["QUEUED", "RENDERING"]);

/** @param {Render} render */
export function isUnfinished(render) {
  return UNFINISHED.has(render.status);
}

export class RenderStore {
  #onChange;
  /** @type {Map<string, Render>} */
  #byId = new Map();
  /** @type {Set<string>} */
  #deleted = new Set(); // a late message must not add these again
  /** @type {Map<string, number>} */
  #receivedAt = new Map(); // time of the last copy of each render, by this device's clock
  /** @type {string | null} */
  #cursor = null;

  /** Whether the server has renders older than these. */
  hasOlder = false;

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
    return [...this.#byId.values()].toSorted(byAge).values();
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
    const merged = { ...before, ...render };
    this.#byId.set(render.id, merged);
    this.#onChange(merged, before);
  }

  /**
   * Set the title of a render if it is still stored.
   * @param {string} id
   * @param {string} title
   */
  setTitle(id, title) {
    const before = this.#byId.get(id);
    if (!before) return;
    const titled = { ...before, title };
    this.#byId.set(id, titled);
    this.#onChange(titled, before);
  }

  /** @param {string} id */
  remove(id) {
    const before = this.#byId.get(id);
    this.#deleted.add(id);
    this.#byId.delete(id);
    this.#receivedAt.delete(id);
    if (before) this.#onChange(undefined, before);
  }

  clear() {
    for (const id of this.#byId.keys()) this.remove(id);
    this.#deleted.clear();
    this.#cursor = null;
  }

  /**
   * Store the first page, which `request` returns, and remove renders that were deleted elsewhere.
   * @param {() => Promise<RenderConnection>} request
   */
  async readNewest(request) {
    const known = [...this.#byId.values()];
    const { edges, pageInfo } = await request();
    const listed = new Map(edges.map(({ node }) => [node.id, node]));
    const oldest = edges.at(-1)?.node;
    for (const render of known) {
      const isCovered = !pageInfo.hasNextPage || (oldest !== undefined && byAge(render, oldest) < 0);
      if (isCovered && !listed.has(render.id)) this.remove(render.id);
    }
    if (this.#cursor === null || !pageInfo.hasNextPage) this.#setCursor(pageInfo);
    for (const render of listed.values()) this.merge(render);
  }

  /**
   * Store the next page, which `request` returns for a cursor.
   * @param {(cursor: string | null) => Promise<RenderConnection>} request
   */
  async readOlder(request) {
    const { edges, pageInfo } = await request(this.#cursor);
    this.#setCursor(pageInfo);
    for (const { node } of edges) this.merge(node);
  }

  /**
   * Return the unfinished renders that were not received for this time, and restart the time for each of them.
   * @param {number} milliseconds
   */
  takeStale(milliseconds) {
    const now = Date.now();
    const isStale = (/** @type {Render} */ { id }) => (this.#receivedAt.get(id) ?? now) < now - milliseconds;
    const stale = [...this.#byId.values()].filter((render) => isUnfinished(render) && isStale(render));
    for (const { id } of stale) this.#receivedAt.set(id, now);
    return stale;
  }

  /** @param {RenderConnection["pageInfo"]} pageInfo */
  #setCursor({ endCursor, hasNextPage }) {
    this.#cursor = endCursor;
    this.hasOlder = hasNextPage;
  }
}

/**
 * Compare two renders, newest first.
 * @param {Render} a
 * @param {Render} b
 */
function byAge(a, b) {
  return Date.parse(b.createdAt) - Date.parse(a.createdAt) || (a.id < b.id ? 1 : -1);
}
