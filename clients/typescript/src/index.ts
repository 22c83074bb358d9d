export { createClient, hasEnded } from "./client.js";
export type * from "./client.js";
export {
  BatchNotFound,
  IdempotencyKeyReused,
  InvalidAnimation,
  InvalidInput,
  OutputGone,
  RenderAlreadyFinished,
  RenderNotComplete,
  RenderNotFinished,
  RenderNotFound,
  RenderNotRetryable,
  RenderQuotaExceeded,
  RenderServiceNotConfigured,
  RendercastError,
  ServerUnreachable,
  Unauthenticated,
} from "./errors.js";
export { createIdempotencyKey } from "./input.js";
export type * from "./input.js";
export type * from "./types.js";
