import type { InputPathProblem, InputProblem, Render, RenderQuota } from "./types.js";

/**
 * An error of the server. `message` is a sentence for the user that says what to do.
 *
 * `code` is the name of the error's type in the schema in upper snake case, such as `RENDER_NOT_FOUND`, or the code of
 * a GraphQL error, such as `FORBIDDEN`.
 */
export class RendercastError extends Error {
  declare readonly code: string;

  constructor(code: string, message?: string, details?: object) {
    super(message);
    this.code = this.name = code.replace(/\B[A-Z][a-z]/g, "_$&").toUpperCase();
    Object.assign(this, details);
  }
}

/** The server can't be reached, or can't handle the request now. Requests were repeated for up to a minute. */
export class ServerUnreachable extends RendercastError {
  /** Seconds after which the server accepts requests again, if it has said so. */
  declare readonly retryAfterSeconds?: number;

  constructor(message = "The server can't be reached. Please try again.", details?: object) {
    super("UNREACHABLE", message, details);
  }
}

/** The token is missing, invalid or expired, and the token function has returned no valid one. */
export class Unauthenticated extends RendercastError {
  constructor(message = "Please sign in.") {
    super("UNAUTHENTICATED", message);
  }
}

/** The user has no renders with this batch id. */
export class BatchNotFound extends RendercastError {}

/** The idempotency key was used before, with another input. `render` is the one that was started with it. */
export class IdempotencyKeyReused extends RendercastError {
  declare readonly render: Render;
}

/** The text animation is invalid. */
export class InvalidAnimation extends RendercastError {
  declare readonly problems: readonly InputProblem[];
}

/** The props of the composition, the output or another value is invalid. */
export class InvalidInput extends RendercastError {
  declare readonly problems: readonly InputPathProblem[];
}

/** The output has been removed from storage. */
export class OutputGone extends RendercastError {}

/** The render has already ended. */
export class RenderAlreadyFinished extends RendercastError {
  declare readonly render: Render;
}

/** The render has no output: it is not COMPLETE. */
export class RenderNotComplete extends RendercastError {
  declare readonly render: Render;
}

/** The render has not ended yet. */
export class RenderNotFinished extends RendercastError {
  declare readonly render: Render;
}

/** The user has no render with this id. */
export class RenderNotFound extends RendercastError {}

/** Only FAILED and CANCELLED renders can be retried. */
export class RenderNotRetryable extends RendercastError {
  declare readonly render: Render;
}

/** The quota is used up, or has too few units left for a batch. */
export class RenderQuotaExceeded extends RendercastError {
  declare readonly quota: RenderQuota;
  /** Seconds until the quota resets, at least 1. */
  declare readonly retryAfterSeconds: number;
}

/** The server has no renderer. */
export class RenderServiceNotConfigured extends RendercastError {}

const USER_ERRORS: Record<string, typeof RendercastError> = {
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
};

/** A member of the union that a mutation returns. */
export interface Result {
  readonly __typename: string;
  readonly message?: string;
}

/** Return the result of a mutation. Throws the typed error if it is a `UserError`. */
export function unwrap<T>(result: Result): T {
  const { __typename: code, message, ...details } = result;
  if (message === undefined) return result as T;
  throw new (USER_ERRORS[code] ?? RendercastError)(code, message, details);
}

/** An error of GraphQL over any transport. */
interface GraphQLFormattedError {
  readonly message: string;
  readonly extensions?: { readonly code?: unknown };
}

/** Return the error for the `errors` of a response. */
export function fromGraphQL(errors: unknown): RendercastError {
  const list = [errors].flat() as (GraphQLFormattedError | null | undefined)[];
  const message = list.map((error) => error?.message).join(" ");
  const code = String(list[0]?.extensions?.code ?? "INTERNAL");
  if (code === "UNAUTHENTICATED") return new Unauthenticated(message);
  if (code === "SERVICE_UNAVAILABLE" || code === "TIMEOUT") return new ServerUnreachable(message, { code });
  return new RendercastError(code, message);
}
