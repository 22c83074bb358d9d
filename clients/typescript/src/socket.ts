import type { Channel, Transport } from "./channels.js";
import { ServerUnreachable, Unauthenticated, fromGraphQL } from "./errors.js";
import { parse, rootField } from "./http.js";
import { createWaiter } from "./waiting.js";

const OPEN_MS = 8_000;
const PING_MS = 10_000;
const PONG_MS = 5_000;
const FORBIDDEN = 4403; // the token is missing, invalid or expired

interface Message {
  readonly type: string;
  readonly id?: string;
  readonly payload?: any;
}

/** One WebSocket for all operations: https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md */
export const websocket: Transport = async ({ url, WebSocket, open, credentials }, signal) => {
  const socket = new WebSocket(url.replace(/^http/, "ws"), "graphql-transport-ws");
  const send = (message: object) => socket.send(JSON.stringify(message));
  /** What receives the messages of each operation, and the error for which the connection ends. */
  const sinks = new Map<unknown, (message: Message | Error) => void>();
  let operations = 0;

  const channel: Channel = {
    isClosed: false,
    async *run({ payload }, outer) {
      if (channel.isClosed) throw new ServerUnreachable();
      const id = String(++operations);
      const messages: (Message | Error)[] = [];
      const { wake, wait } = createWaiter();
      sinks.set(id, (message) => {
        messages.push(message);
        wake();
      });
      try {
        send({ id, type: "subscribe", payload });
        for (;;) {
          const message = messages.shift();
          if (!message) {
            await wait(outer);
          } else if (message instanceof Error) {
            throw message;
          } else if (message.type === "next") {
            yield rootField(message.payload ?? {});
          } else {
            sinks.delete(id);
            if (message.type === "complete") return;
            throw fromGraphQL(message.payload);
          }
        }
      } finally {
        if (sinks.delete(id) && !channel.isClosed) send({ id, type: "complete" });
      }
    },
  };

  await new Promise<void>((resolve, reject) => {
    let timer = setTimeout(expire, OPEN_MS);
    function fail(error: Error): void {
      channel.isClosed = true;
      clearTimeout(timer);
      open.delete(fail);
      for (const sink of sinks.values()) sink(error);
      reject(error);
      socket.close();
    }
    function expire(): void {
      fail(new ServerUnreachable());
    }
    open.add(fail);
    socket.addEventListener("open", () =>
      credentials(signal).then((payload) => send({ type: "connection_init", payload }), fail),
    );
    socket.addEventListener("message", ({ data }) => {
      if (channel.isClosed) return;
      clearTimeout(timer);
      timer = setTimeout(() => {
        timer = setTimeout(expire, PONG_MS);
        send({ type: "ping" });
      }, PING_MS);
      try {
        const message = parse(data) as Message;
        if (message.type === "connection_ack") resolve();
        else if (message.type === "ping") send({ type: "pong" });
        else sinks.get(message.id)?.(message);
      } catch (error) {
        fail(error as Error);
      }
    });
    socket.addEventListener("error", expire);
    socket.addEventListener("close", ({ code, reason }) =>
      fail(code === FORBIDDEN ? new Unauthenticated(reason || undefined) : new ServerUnreachable()),
    );
  });
  return channel;
};
