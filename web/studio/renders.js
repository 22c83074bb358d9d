// The renders this page knows: the newest copy of each, however the copies arrive.

const UNFINISHED = new Set(["QUEUED", "RENDERING"]);

export function isUnfinished(render) {
  return UNFINISHED.has(render.status);
}

export class Renders {
  #byId = new Map();
  #gone = new Set(); // deleted: a late message must not bring them back
  #heardAt = new Map(); // when anything was last heard of each, by this machine's clock
  #onChange;
  #cursor = null;

  /** Whether the server has renders older than these. */
  hasOlder = false;

  /** `onChange(render, before)` is told of each change; `before` is undefined if it is new, `render` if it is gone. */
  constructor(onChange) {
    this.#onChange = onChange;
  }

  get size() {
    return this.#byId.size;
  }

  get(id) {
    return this.#byId.get(id);
  }

  /** Newest first. */
  [Symbol.iterator]() {
    return [...this.#byId.values()].sort(byAge).values();
  }

  /** Take a copy, unless a newer one is here. */
  merge(render) {
    const before = this.#byId.get(render.id);
    if (this.#gone.has(render.id)) return;
    this.#heardAt.set(render.id, Date.now());
    if (before && before.revision > render.revision) return;
    this.#byId.set(render.id, render);
    this.#onChange(render, before);
  }

  remove(id) {
    const before = this.#byId.get(id);
    this.#gone.add(id);
    this.#byId.delete(id);
    this.#heardAt.delete(id);
    if (before) this.#onChange(undefined, before);
  }

  clear() {
    for (const id of [...this.#byId.keys()]) this.remove(id);
    this.#gone.clear();
    this.#cursor = null;
  }

  /** Take the first page, for which `ask` asks, and drop what was deleted elsewhere. */
  async readNewest(ask) {
    const known = [...this.#byId.values()];
    const { edges, pageInfo } = await ask();
    const listed = new Map(edges.map(({ node }) => [node.id, node]));
    const oldest = edges.at(-1)?.node;
    for (const render of known) {
      const isCovered = !pageInfo.hasNextPage || byAge(render, oldest) < 0;
      if (isCovered && !listed.has(render.id)) this.remove(render.id);
    }
    if (this.#cursor === null || !pageInfo.hasNextPage) this.#turnTo(pageInfo);
    for (const render of listed.values()) this.merge(render);
  }

  /** Take the next page, for which `ask` asks from a cursor on. */
  async readOlder(ask) {
    const { edges, pageInfo } = await ask(this.#cursor);
    this.#turnTo(pageInfo);
    for (const { node } of edges) this.merge(node);
    return edges.length;
  }

  /** Take the unfinished ones of which nothing was heard for so long. They are due again as long after this. */
  takeSilent(milliseconds) {
    const now = Date.now();
    const isSilent = (each) => isUnfinished(each) && this.#heardAt.get(each.id) < now - milliseconds;
    const silent = [...this.#byId.values()].filter(isSilent);
    for (const { id } of silent) this.#heardAt.set(id, now);
    return silent;
  }

  #turnTo({ endCursor, hasNextPage }) {
    this.#cursor = endCursor;
    this.hasOlder = hasNextPage;
  }
}

function byAge(a, b) {
  return Date.parse(b.createdAt) - Date.parse(a.createdAt) || (a.id < b.id ? 1 : -1);
}
