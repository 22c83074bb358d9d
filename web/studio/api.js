// The connection to the API: one WebSocket for queries, mutations and the subscription.
//
// It is made again whenever it is lost. What was asked and not answered by then is asked again, which harms nothing:
// starts carry an idempotency key, and the other mutations can be repeated.

const TOKEN = "rendercast-token"; // in sessionStorage
const FORBIDDEN = 4403; // the close code for "you are not signed in, or not any more"
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;
const PING_EVERY_MS = 10_000;
const PONG_WITHIN_MS = 5_000;

/** What the API, or the way to it, had to say; the message is a sentence. */
export class ApiError extends Error {}

export class Api {
  #client;
  #refused = false;
  #hurry = () => {};
  #unanswered = new Set(); // what gives each of them up

  /** `onState` is told "live", "offline" or "signed-out", the latter with the reason in words. */
  constructor({ createClient, url, onState }) {
    let pongTimer;
    this.#client = createClient({
      url,
      connectionParams: () => (this.isSignedIn ? { Authorization: `Bearer ${sessionStorage.getItem(TOKEN)}` } : {}),
      shouldRetry: () => true,
      retryAttempts: Infinity,
      retryWait: (retries) => this.#pause(retries),
      keepAlive: PING_EVERY_MS,
      on: {
        connected: () => {
          this.#refused = false;
          // graphql-ws sends what waits for the connection first, above all the subscription: nothing that changes
          // after it is missed by who asks for the present state after it.
          setTimeout(() => onState("live"));
        },
        closed: ({ code, reason }) => {
          clearTimeout(pongTimer);
          this.#refused = code === FORBIDDEN;
          onState(this.#refused ? "signed-out" : "offline", reason);
        },
        ping: (received) => {
          if (!received) pongTimer = setTimeout(() => this.#client.terminate(), PONG_WITHIN_MS);
        },
        pong: (received) => {
          if (received) clearTimeout(pongTimer);
        },
      },
    });
    addEventListener("online", () => this.hurry());
  }

  get isSignedIn() {
    return sessionStorage.getItem(TOKEN) !== null;
  }

  /** Keep the token for this tab and connect with it. */
  signIn(token) {
    this.#giveUp();
    sessionStorage.setItem(TOKEN, token.trim().replace(/^bearer\s+/i, ""));
    this.#refused = false;
    this.#hurry();
  }

  /** Forget the token and leave. */
  signOut() {
    this.#giveUp();
    sessionStorage.removeItem(TOKEN);
    this.#client.terminate();
  }

  /** Connect now instead of after a while. */
  hurry() {
    if (!this.#refused) this.#hurry();
  }

  /** Return the data of a query or mutation. Waits for the connection. Throws `ApiError`. */
  ask(query, variables) {
    return new Promise((resolve, reject) => {
      let answer;
      const giveUp = this.#client.subscribe(
        { query, variables },
        {
          next: (result) => (answer = result),
          error: (cause) => {
            this.#unanswered.delete(giveUp);
            reject(inWords(cause));
          },
          complete: () => {
            this.#unanswered.delete(giveUp);
            if (answer && !answer.errors) resolve(answer.data);
            else reject(inWords(answer?.errors));
          },
        },
      );
      this.#unanswered.add(giveUp);
    });
  }

  /** Hand each result of a subscription to `onData`, for ever. `onTrouble` is told in words why it pauses. */
  async watch(query, onData, onTrouble) {
    for (let failures = 0; ; failures++) {
      try {
        for await (const { data, errors } of this.#client.iterate({ query })) {
          if (errors) throw errors;
          failures = 0;
          onData(data);
        }
      } catch (cause) {
        onTrouble(inWords(cause).message);
      }
      await this.#pause(failures);
    }
  }

  /** What one person asked for must not be done in the name of the next. */
  #giveUp() {
    for (const giveUp of this.#unanswered) giveUp();
  }

  /** Wait longer each time, and not at the same pace as everybody else; while signed out, until a token is given. */
  async #pause(retries) {
    const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** retries) * (0.5 + Math.random() / 2);
    await new Promise((resolve) => {
      this.#hurry = resolve;
      if (!this.#refused) setTimeout(resolve, wait);
    });
  }
}

function inWords(cause) {
  if (Array.isArray(cause)) return new ApiError(cause.map(({ message }) => message).join(" "));
  return new ApiError(cause?.reason || "The server can't be reached. Please try again.");
}
