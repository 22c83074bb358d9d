/**
 * Renders as Remotion's official template of a render server does: it bundles once, and each request opens a browser for
 * `selectComposition` and another for `renderMedia`. `node template.mjs BROWSER [PAGES]` reads `{"id", "output"}` as lines of
 * JSON, and writes a line when it is ready and after each request.
 */
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { bundle } from "@remotion/bundler";
import { renderMedia, selectComposition } from "@remotion/renderer";

const browser = { browserExecutable: process.argv[2], chromeMode: "headless-shell", logLevel: "error" };
const concurrency = process.argv[3] ? Number(process.argv[3]) : null;
const serveUrl = await bundle({ entryPoint: fileURLToPath(new URL("src/index.tsx", import.meta.url)) });
console.log("ready");

const render = async ({ id, output }) => {
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
    concurrency,
    onProgress: () => {},
  });
  console.log("done");
};

createInterface({ input: process.stdin }).on("line", (line) => render(JSON.parse(line)));
