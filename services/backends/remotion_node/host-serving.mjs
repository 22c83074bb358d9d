/**
 * Lets the browser cache the scripts of bundles, and what it has compiled of them. Remotion serves a bundle by a server for
 * each call, on the first free port, and forbids to cache it; each page would load and compile all scripts again.
 */
import { statSync } from "node:fs";
import http from "node:http";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";

const SCRIPT = /^\/([\w-][\w.-]*\.js)$/; // in the folder of the bundle; its public files are in folders of their own

/** Change the servers that are created from now on. `currentFolder` returns the bundle for which one is created, if any. */
export const cacheScripts = (currentFolder) => {
  const { createServer } = http;
  http.createServer = (...args) => {
    const folder = currentFolder();
    return createServer(...args.map((arg) => (folder && typeof arg === "function" ? cached(folder, arg) : arg)));
  };
  syncBuiltinESMExports();
};

/** Return a listener that lets scripts be cached, if the browser asks each time whether they have changed. */
const cached = (folder, listener) => (request, response) => {
  const name = SCRIPT.exec(request.url)?.[1];
  const tag = name && tagOf(join(folder, name));
  if (!tag) {
    return listener(request, response);
  }
  const headers = { "Cache-Control": "no-cache", ETag: tag };
  if (request.headers["if-none-match"] === tag) {
    return response.writeHead(304, headers).end();
  }
  const { writeHead } = response;
  response.writeHead = (status, given) =>
    writeHead.call(response, status, status === 200 ? { ...given, ...headers } : given);
  return listener(request, response);
};

/** Return a tag that no other file has, nor this one with other contents; null if there is no such file. */
const tagOf = (path) => {
  const file = statSync(path, { throwIfNoEntry: false });
  return file?.isFile() ? `"${file.dev}-${file.ino}-${file.size}-${file.mtimeMs}"` : null;
};
