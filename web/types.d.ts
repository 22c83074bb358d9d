// Types for `tsc --checkJs`; browsers don't load this file. schema/schema.graphql describes the API's fields.

import type { createClient } from "graphql-ws";

declare global {
  /** Defined by the script tag of graphql-ws in studio/index.html. Undefined if that script could not be loaded. */
  var graphqlWs: { createClient: typeof createClient } | undefined;
}

export interface GraphQLResult {
  data?: any;
  errors?: readonly { message: string; extensions?: { code?: unknown } }[];
}

export interface GraphQLSink {
  next(result: GraphQLResult): void;
  error(cause: unknown): void;
  complete(): void;
}

/** A client over any transport. It reconnects, and then executes the operations again that have not ended. */
export interface GraphQLClient {
  /** Returns a function that cancels the operation. */
  subscribe(payload: { query: string; variables?: Record<string, unknown> }, sink: GraphQLSink): () => void;
  /** Close the connection, and connect again. */
  terminate(): void;
}

export type ConnectionState = "connecting" | "live" | "offline" | "signed-out";

export interface AnimationProps {
  text: string;
  style: string;
  fontFamily: string;
  fontSize: number;
  fontWeight: number;
  italic: boolean;
  color: string;
  backgroundColor: string | null;
  durationInFrames: number;
  fps: number;
}

export interface FontFamily {
  family: string;
  weights: number[];
  italic: boolean;
  scripts: string[];
}

/** How the renderer draws a text at rest. Sizes and positions are in pixels of the video. */
export interface TextLayout {
  width: number;
  height: number;
  durationInFrames: number;
  fps: number;
  fontSize: number;
  graphemes: number;
  runs: { text: string; x: number; baseline: number; font: number; rtl: boolean; start: number; end: number }[];
  fonts: { id: string; data: string }[];
  warnings: string[];
}

/** What an animation depends on. `height` is the frame's, in pixels. */
export interface Timeline {
  frames: number;
  fps: number;
  height: number;
  graphemes: number;
}

export type Json = null | boolean | number | string | Json[] | JsonObject;

export interface JsonObject {
  [key: string]: Json;
}

/** The keywords of JSON Schema (draft 2020-12) that the studio reads. */
export interface Schema {
  $ref?: string;
  type?: string | string[];
  title?: string;
  description?: string;
  default?: Json;
  examples?: Json[];
  const?: Json;
  enum?: Json[];
  allOf?: (Schema | boolean)[];
  anyOf?: (Schema | boolean)[];
  oneOf?: (Schema | boolean)[];
  format?: string;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  multipleOf?: number;
  items?: Schema | boolean;
  prefixItems?: (Schema | boolean)[];
  minItems?: number;
  maxItems?: number;
  properties?: { [name: string]: Schema | boolean | undefined };
  required?: string[];
  additionalProperties?: Schema | boolean;
  propertyNames?: Schema | boolean;
}

/** A part of a form. `path` is the rest of a problem's JSON Pointer from this part, `label` can only be set. */
export interface Field {
  readonly element: HTMLElement;
  readonly value: Json | undefined;
  set label(text: string);
  showProblem(path: string[], message: string): void;
}

/**
 * What a field is created for. `value` is undefined if there is none; `isOptional` means that it may be left out.
 * `isRoot` is the object of all props, `isLabelHidden` hides a label that is visible in another place.
 */
export interface FieldSpec {
  schema: Schema;
  value: Json | undefined;
  label: string;
  isOptional: boolean;
  depth: number;
  isRoot?: boolean;
  isLabelHidden?: boolean;
}

/** What fields that contain other fields need. `root` is the complete schema, `announce` notifies screen readers. */
export interface FieldContext {
  root: Schema;
  marksOptional: boolean;
  announce: (text: string) => void;
  create: (spec: FieldSpec) => Field;
}

export interface Composition {
  id: string;
  kind: "VIDEO" | "STILL";
  width: number;
  height: number;
  fps: number;
  durationInFrames: number;
  outputs: OutputFormat[];
}

/** The part of a composition that can be large: it is read when the composition is chosen. */
export interface CompositionProps {
  defaultProps: JsonObject;
  propsSchema: Schema | null;
}

export type OutputFormat =
  | "H264" | "H265" | "VP8" | "VP9" | "PRORES" | "GIF" | "MP3" | "AAC" | "WAV" | "PNG" | "JPEG" | "WEBP" | "PDF";

export type OutputKind = "VIDEO" | "GIF" | "AUDIO" | "STILL";

/** A row of the table of formats. `options` are fields of the GraphQL inputs. */
export interface FormatRow {
  label: string;
  kind: OutputKind;
  options: string[];
  crf?: [number, number];
  even?: boolean;
}

export interface RenderOutput {
  format: OutputFormat;
  kind: OutputKind;
  contentType: string;
  width: number | null;
  height: number | null;
  fps: number | null;
  scale: number | null;
  transparent: boolean;
}

export interface StartInput {
  animationProps?: AnimationProps;
  composition?: { id: string; props: JsonObject };
  output?: JsonObject;
}

/** A problem of an input, with a JSON Pointer from the mutation's `input`. */
export interface PathProblem {
  path: string;
  message: string;
}

/** The form of one composition. `showProblem` returns whether the problem has a field. */
export interface PropsForm {
  readonly input: StartInput;
  showProblem(path: string[], message: string): boolean;
}

export interface Render {
  id: string;
  revision: number;
  status: "QUEUED" | "RENDERING" | "COMPLETE" | "FAILED" | "CANCELLED";
  phase: string | null;
  progress: number;
  framesRendered: number;
  totalFrames: number;
  estimatedCompletionAt: string | null;
  queuePosition: number | null;
  batchId: string | null;
  compositionId: string;
  animationProps: AnimationProps | null;
  title?: string; // the page's own field, from the props, which are read later
  output: RenderOutput;
  cancelRequested: boolean;
  warnings: string[];
  error: { message: string; retryable: boolean } | null;
  outputUrl: string | null;
  downloadUrl: string | null;
  outputUrlExpiresAt: string | null;
  outputSizeBytes: number | null;
  posterUrl: string | null;
  previewUrl: string | null;
  costUsd: number | null;
  createdAt: string;
  completedAt: string | null;
}

/** The input of a render that was started, for the form. Options of the output are null if it has none. */
export interface Settings {
  compositionId: string;
  inputProps: JsonObject;
  animationProps: AnimationProps | null;
  output: { format: OutputFormat; [option: string]: Json };
}

export interface BatchProgress {
  total: number;
  complete: number;
  failed: number;
  cancelled: number;
  percent: number;
  hasEnded: boolean;
  estimatedCompletionAt: string | null;
  failures: { error: { message: string } | null }[];
}

export interface RenderConnection {
  edges: { node: Render }[];
  pageInfo: { hasNextPage: boolean; endCursor: string | null };
}

export interface RenderQuota {
  limit: number;
  remaining: number;
  windowSeconds: number;
  resetsAt: string;
  resetsInSeconds: number;
}

export interface RenderLimits {
  maxDurationSeconds: number;
  fps: number;
  maxTextLength: number;
  minFontSize: number;
  maxFontSize: number;
}

/** A problem of an input: `InvalidAnimation` names the field, `InvalidInput` the path. */
export interface Problem {
  field?: string;
  path?: string;
  message: string;
}

/** The members of the mutations' unions. Only errors have a `message`. */
export interface MutationResult {
  __typename: string;
  message?: string;
  problems?: Problem[];
  render?: Render;
  quota?: RenderQuota;
  duplicate?: boolean;
}

export type MutationError = MutationResult & { message: string };

export interface RenderActions {
  cancel(render: Render): Promise<void>;
  retry(render: Render): Promise<void>;
  remove(render: Render): Promise<void>;
  refreshUrl(render: Render): Promise<void>;
  useSettings(render: Render): Promise<void>;
  share(render: Render): Promise<void>;
  cancelBatch(batchId: string): Promise<void>;
  readTitle(render: Render): void;
  announce(text: string): void;
}
