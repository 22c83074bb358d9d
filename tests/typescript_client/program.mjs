// Runs clients for tests: `node program.mjs CLIENT WEBSOCKET`, both modules. Reads calls and writes values, as lines of JSON.

import { createInterface } from "node:readline";

const [client, websocket] = process.argv.slice(2);
const { createClient } = await import(client);
const { default: WebSocket } = await import(websocket);

const clients = new Map();
const calls = new Map();
const requests = new Map(); // by client, what waits for tokens from the test

const write = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

function open({ client, config, hasTokens }) {
  const token = (rejected) =>
    new Promise((resolve, reject) => {
      requests.get(client).push({ resolve, reject });
      write({ client, rejected });
    });
  requests.set(client, []);
  clients.set(client, createClient({ WebSocket, ...config, ...(hasTokens && { token }) }));
}

async function run({ call, client, method, args }) {
  const controller = new AbortController();
  const { signal } = controller;
  calls.set(call, { controller });
  try {
    const options = method.endsWith("ist") ? [{ ...args[0], signal }] : [...args, { signal }];
    const result = clients.get(client)[method](...options);
    calls.set(call, { controller, result });
    if (Symbol.asyncIterator in result) for await (const value of result) write({ call, value });
    else write({ call, value: await result });
    write({ call, done: true });
  } catch (error) {
    write({ call, done: true, error: { ...error, kind: error.constructor.name, message: error.message } });
  }
}

function answer({ client, token, failure }) {
  const { resolve, reject } = requests.get(client).shift();
  if (failure) reject(new TypeError(failure));
  else resolve(token);
}

const commands = {
  open,
  run,
  answer,
  abort: ({ call }) => calls.get(call).controller.abort(),
  return: ({ call }) => calls.get(call).result.return(),
};
for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...message } = JSON.parse(line);
  commands[command](message);
}
