// graphql-ws on ws, set up as its documentation shows. `node graphql-ws.mjs REDIS_URL RENDERS_FILE` prints its port.
import { useServer } from "graphql-ws/use/ws";
import { WebSocketServer } from "ws";
import { Hub, makeSchema } from "./hub.mjs";

const [redisUrl, rendersFile] = process.argv.slice(2);
const server = new WebSocketServer({ host: "127.0.0.1", port: 0, path: "/graphql" });
useServer({ schema: makeSchema(new Hub(redisUrl, rendersFile)) }, server);
server.on("listening", () => console.log(server.address().port));
