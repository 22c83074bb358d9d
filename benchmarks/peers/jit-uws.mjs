// A server tuned by hand: graphql-jit compiles the operations, uWebSockets.js writes to the sockets, and clients with the
// same operation on the same render share its results. `node jit-uws.mjs REDIS_URL RENDERS_FILE` prints its port.
import { parse, validate } from "graphql";
import { compileQuery } from "graphql-jit";
import uWS from "uwebsockets";
import { Hub, makeSchema } from "./hub.mjs";

const [redisUrl, rendersFile] = process.argv.slice(2);
const hub = new Hub(redisUrl, rendersFile);
const schema = makeSchema(hub);

/** The subscriptions with one query: compiled once, executed once per change of a render. */
class Operation {
  #compiled;
  #subscriptions = new Map(); // render id → subscriptions

  constructor(query) {
    const document = parse(query);
    const errors = validate(schema, document);
    if (errors.length) throw errors[0];
    this.#compiled = compileQuery(schema, document, null, { customJSONSerializer: true });
  }

  add(subscription) {
    const { id } = subscription.variables;
    if (!this.#subscriptions.has(id)) {
      const subscriptions = new Set();
      this.#subscriptions.set(id, subscriptions);
      hub.listen(id, (render) => {
        const result = this.#result(render, subscription.variables);
        for (const each of subscriptions) each.send(result);
      });
    }
    this.#subscriptions.get(id).add(subscription);
    subscription.send(this.#result(hub.current(id), subscription.variables));
  }

  delete(subscription) {
    this.#subscriptions.get(subscription.variables.id).delete(subscription);
  }

  #result(render, variables) {
    return this.#compiled.stringify(this.#compiled.query(render, undefined, variables));
  }
}

/** One operation of a client. */
class Subscription {
  #socket;
  #start;

  constructor(socket, id, variables) {
    this.#socket = socket;
    this.#start = `{"id":${JSON.stringify(id)},"type":"next","payload":`;
    this.variables = variables;
  }

  send(result) {
    this.#socket.send(`${this.#start}${result}}`);
  }
}

const operations = new Map(); // by query

const handlers = {
  connection_init: (socket) => socket.send('{"type":"connection_ack"}'),
  ping: (socket) => socket.send('{"type":"pong"}'),
  subscribe(socket, { id, payload: { query, variables } }) {
    if (!operations.has(query)) operations.set(query, new Operation(query));
    const operation = operations.get(query);
    const subscription = new Subscription(socket, id, variables);
    operation.add(subscription);
    socket.getUserData().stops.set(id, () => operation.delete(subscription));
  },
  complete(socket, { id }) {
    socket.getUserData().stops.get(id)?.();
    socket.getUserData().stops.delete(id);
  },
};

const decoder = new TextDecoder();
const server = uWS.App().ws("/graphql", {
  upgrade: (response, request, context) =>
    response.upgrade(
      { stops: new Map() }, // functions by id of the operation
      request.getHeader("sec-websocket-key"),
      "graphql-transport-ws",
      request.getHeader("sec-websocket-extensions"),
      context,
    ),
  message(socket, data) {
    const message = JSON.parse(decoder.decode(data));
    handlers[message.type]?.(socket, message);
  },
  close: (socket) => socket.getUserData().stops.forEach((stop) => stop()),
});
server.listen("127.0.0.1", 0, (listener) => console.log(uWS.us_socket_local_port(listener)));
