// graphql-ws on ws, with a check of each client's token: a JSON Web Token signed by HS256, without dependencies.
// `node graphql-ws-tokens.mjs REDIS_URL RENDERS_FILE` prints its port.
import { createHmac, timingSafeEqual } from "node:crypto";
import { useServer } from "graphql-ws/use/ws";
import { WebSocketServer } from "ws";
import { Hub, makeSchema } from "./hub.mjs";

const [redisUrl, rendersFile] = process.argv.slice(2);
const secret = process.env.JWT_SECRET;

/** Whether the token is signed with the secret and has not expired. */
function isValid(token) {
  const [header, payload, signature] = token.split(".");
  const expected = createHmac("sha256", secret).update(`${header}.${payload}`).digest();
  const actual = Buffer.from(signature, "base64url");
  if (actual.length !== expected.length || !timingSafeEqual(actual, expected)) return false;
  return JSON.parse(Buffer.from(payload, "base64url")).exp * 1000 > Date.now();
}

const server = new WebSocketServer({ host: "127.0.0.1", port: 0, path: "/graphql" });
const schema = makeSchema(new Hub(redisUrl, rendersFile));
const onConnect = ({ connectionParams }) => isValid(connectionParams.Authorization.slice("Bearer ".length));
useServer({ schema, onConnect }, server);
server.on("listening", () => console.log(server.address().port));
