import { limit } from "./waiting.js";

/**
 * Return an iterator over the values of a generator function. `return()` and the signal end it at once, also while
 * `next()` waits; the signal lets `next()` reject with its reason.
 */
export function iterate<T>(
  outer: AbortSignal | undefined,
  start: (signal: AbortSignal) => AsyncGenerator<T>,
): AsyncIterableIterator<T> {
  let stop: (() => void) | undefined;
  let isStopped = false;
  const values = (async function* () {
    const { signal, abort, end } = limit(outer);
    stop = abort;
    try {
      signal.throwIfAborted();
      yield* start(signal);
    } catch (error) {
      if (!isStopped) throw error;
    } finally {
      end();
    }
  })();
  return {
    next: () => values.next(),
    return() {
      isStopped = true;
      stop?.();
      return values.return(undefined);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
