/**
 * Renders as Remotion's official template of a render server does: it bundles once, and each request opens a browser for
 * `selectComposition` and another for `renderMedia`. `node template.mjs BROWSER` reads `{"id", "output"}` as lines of
 * JSON, one request at a time, and writes a line when it is ready and after each request.
 */
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { bundle } from "@remotion/bundler";
import { renderMedia, selectComposition } from "@remotion/renderer";

const browser = { browserExecutable: process.argv[2], chromeMode: "headless-shell", logLevel: "error" };
const serveUrl = await bundle({ entryPoint: fileURLToPath(new URL("src/index.tsx", import.meta.url)) });
console.log("ready");

for await (const line of createInterface({ input: process.stdin })) {
  const { id, output } = JSON.parse(line);
  const composition = await selectComposition({ ...browser, serveUrl, id, inputProps: {} });
  await renderMedia({
    ...browser,
    serveUrl,
    composition,
    inputProps: {},
    codec: "h264",
    imageFormat: "jpeg",
    colorSpace: "bt709",
    outputLocation: output,
    onProgress: () => {},
  });
  console.log("done");
}
