import type { AnimationPropsInput, OutputInput } from "./types.js";

/**
 * The props of the server's compositions by id, written by `rendercast codegen`. Empty: any id and any props.
 *
 * ```ts
 * declare module "@rendercast/client" {
 *   interface CompositionProps { Promo: { title: string } }
 * }
 * ```
 */
// oxlint-disable-next-line typescript/no-empty-interface
export interface CompositionProps {}

/** The ids of the compositions. */
export type CompositionId = keyof CompositionProps extends never ? string : keyof CompositionProps & string;

/** The props of a composition. */
export type PropsOf<C extends CompositionId> = C extends keyof CompositionProps
  ? CompositionProps[C]
  : Readonly<Record<string, unknown>>;

interface StartOptions {
  /** Default: an H.264 video in MP4; a PNG of a composition that is a still. */
  readonly output?: OutputInput | undefined;
  /** An id of your own, to filter by. */
  readonly generationId?: string | undefined;
  /**
   * A second start with the same key and input returns the render of the first one. Default: a new key. Give your own
   * to start again after a `ServerUnreachable`, or after a reload of the page, without a second render.
   */
  readonly idempotencyKey?: string | undefined;
}

/** A composition to render. Its default props are used where `props` has none. */
export type CompositionStart<C extends CompositionId = CompositionId> = StartOptions & {
  readonly composition: C;
} & ({} extends PropsOf<C> ? { readonly props?: PropsOf<C> } : { readonly props: PropsOf<C> });

/** A text animation to render. */
export type AnimationStart = StartOptions & AnimationPropsInput & { readonly composition?: never; readonly props?: never };

/** A composition with its props, for each composition. */
type AnyCompositionStart = { [C in CompositionId]: CompositionStart<C> }[CompositionId];

/** What `client.start` renders. */
export type StartInput = AnimationStart | AnyCompositionStart;

/** Return a new idempotency key. Works in pages without HTTPS, which have no `crypto.randomUUID`. */
export const createIdempotencyKey = (): string => crypto.getRandomValues(new Uint32Array(4)).join("-");

/** Return the `StartRenderInput` of the schema. `key` is used if the input has no idempotency key. */
export function toStartInput(input: StartInput, key?: string): object {
  const { composition: id, props = {}, output, generationId, idempotencyKey = key, ...animationProps } = input;
  const what = id === undefined ? { animationProps } : { composition: { id, props } };
  return { ...what, output, generationId, idempotencyKey };
}
