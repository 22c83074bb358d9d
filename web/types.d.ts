// Types for `tsc --checkJs`; browsers don't load this file. schema/schema.graphql describes the API's fields.

import type { createClient } from "graphql-ws";

declare global {
  /** Defined by the script tag of graphql-ws in studio/index.html. Undefined if that script could not be loaded. */
  var graphqlWs: { createClient: typeof createClient } | undefined;
}

export type ConnectionState = "connecting" | "live" | "offline" | "signed-out";

export interface AnimationProps {
  text: string;
  style: string;
  fontFamily: string;
  fontSize: number;
  color: string;
  backgroundColor: string | null;
  durationInFrames: number;
  fps: number;
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
  animationProps: AnimationProps;
  cancelRequested: boolean;
  warnings: string[];
  error: { message: string; retryable: boolean } | null;
  outputUrl: string | null;
  outputUrlExpiresAt: string | null;
  outputSizeBytes: number | null;
  posterUrl: string | null;
  costUsd: number | null;
  createdAt: string;
  completedAt: string | null;
}

export interface RenderConnection {
  edges: { node: Render }[];
  pageInfo: { hasNextPage: boolean; endCursor: string | null };
}

export interface RenderQuota {
  limit: number;
  remaining: number;
  resetsAt: string;
}

export interface RenderLimits {
  maxDurationSeconds: number;
  fps: number;
  maxTextLength: number;
  minFontSize: number;
  maxFontSize: number;
}

export interface Problem {
  field: string;
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
  announce(text: string): void;
}
