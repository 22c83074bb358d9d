import type { RenderFieldsFragment, RendersQuery, StartMutation } from "./gql/graphql";

export type Render = RenderFieldsFragment;
export type StartResult = StartMutation["startRender"];

export const isUnfinished = ({ status }: Render): boolean => status === "QUEUED" || status === "RENDERING";

const newest = new Map<string, Render>();

/** Replace renders that are older than in a previous result: responses can arrive out of order. */
export function keepNewest<T>(data: T): T {
  return replaceOld(data) as T;
}

function replaceOld(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(replaceOld);
  if (typeof value !== "object" || value === null) return value;
  if (isRender(value)) return newestOf(value);
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, replaceOld(field)]));
}

/** Only renders have a revision, and each operation selects all of `RenderFields`. */
const isRender = (value: object): value is Render => "revision" in value;

function newestOf(render: Render): Render {
  const known = newest.get(render.id);
  if (known && known.revision > render.revision) return known;
  newest.set(render.id, render);
  return render;
}

/** Add a new render to the list. The cache updates those that are in the list already. */
export function withRender(list: RendersQuery, render: Render): RendersQuery {
  const { edges } = list.renders;
  if (edges.some(({ node }) => node.id === render.id)) return list;
  return { renders: { ...list.renders, edges: [{ __typename: "RenderEdge", node: render }, ...edges] } };
}

/** Return the renders of all loaded pages, without duplicates, newest first. */
export function inOrder({ renders }: RendersQuery): Render[] {
  const byId = new Map(renders.edges.map(({ node }) => [node.id, node]));
  return [...byId.values()].toSorted((a, b) => b.createdAt.localeCompare(a.createdAt));
}
