// Uses the client in any runtime: `runtime.mjs CLIENT URL`. Prints each transport and the final status of a render.

const [client, url] = globalThis.Deno?.args ?? process.argv.slice(2);
const { createClient, RenderNotFound } = await import(client);

const transports = [..."WebSocket" in globalThis ? ["websocket"] : [], "sse", "polling"];
for (const transport of transports) {
  const client = createClient({ url, transports: [transport] });
  const { id } = await client.start({ text: transport });
  let last;
  for await (const state of client.watch(id)) last = state;
  for await (const [newest] of client.watchList({ first: 1 })) if (newest?.status === "COMPLETE") break;
  const watch = client.watch(id);
  await watch.next();
  await watch.return();
  await client.get("unknown").catch((error) => {
    if (!(error instanceof RenderNotFound)) throw error;
  });
  console.log(transport, last.status);
}
