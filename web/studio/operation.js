// An operation, which continues on another client after the switch to SSE.

/** @import { GraphQLClient, GraphQLSink } from "../types.d.ts" */

/** @typedef {{ query: string, variables?: Record<string, unknown> }} Payload */

/** An operation that has not ended. */
export class Operation {
  #payload;
  #sink;
  #onEnd;
  #run = {}; // the identity of the latest start
  cancel = () => {};

  /**
   * @param {Payload} payload
   * @param {GraphQLSink} sink
   * @param {() => void} onEnd
   */
  constructor(payload, sink, onEnd) {
    this.#payload = payload;
    this.#sink = sink;
    this.#onEnd = onEnd;
  }

  /**
   * Start on this client. The former client's messages are ignored from then on.
   * @param {GraphQLClient} client
   */
  restart(client) {
    const run = (this.#run = {});
    this.cancel();
    const end = (/** @type {() => void} */ report) => {
      if (run !== this.#run) return;
      this.#onEnd();
      report();
    };
    this.cancel = client.subscribe(this.#payload, {
      next: (result) => run === this.#run && this.#sink.next(result),
      error: (cause) => end(() => this.#sink.error(cause)),
      complete: () => end(() => this.#sink.complete()),
    });
  }
}
