/**
 * Bundles a Remotion project, and discovers the compositions of each of its roots.
 *
 * The argument is JSON: `{folder, entry, bundle, roots, stills}`. `bundle` is the folder for the bundle; `stills` maps roots
 * to the PNG file for the composition "Card". Writes `{<root>: {compositions, error, warnings}}` as JSON. CHROMIUM is the
 * path of the browser.
 */
import { createRequire } from "node:module";
import { join } from "node:path";
import { bundle } from "./bundle.mjs";

const { folder, entry, bundle: outDir, roots, stills } = JSON.parse(process.argv[2]);
const require = createRequire(join(folder, "package.json"));
const { getCompositions, openBrowser, renderStill, selectComposition } = require("@remotion/renderer");

const BROWSER = {
  browserExecutable: process.env.CHROMIUM,
  chromeMode: process.env.CHROMIUM?.endsWith("headless-shell") ? "headless-shell" : "chrome-for-testing",
  logLevel: "error",
  timeoutInMilliseconds: 120_000, // of a busy machine
};

const optionsOf = (root) => ({ ...BROWSER, serveUrl, puppeteerInstance, envVariables: { RENDERCAST_TEST_ROOT: root } });

const discover = async (root) => {
  const warnings = [];
  const onBrowserLog = ({ type, text }) => type === "warning" && warnings.push(text);
  try {
    const compositions = await getCompositions(serveUrl, { ...optionsOf(root), onBrowserLog });
    return { compositions, error: null, warnings };
  } catch (error) {
    return { compositions: null, error: error.message, warnings };
  }
};

const serveUrl = await bundle({ entryPoint: join(folder, entry), outDir, rootDir: folder });
const puppeteerInstance = await openBrowser("chrome", BROWSER);
const found = {};
for (const root of roots) {
  found[root] = await discover(root);
}
for (const [root, output] of Object.entries(stills)) {
  const composition = await selectComposition({ ...optionsOf(root), id: "Card" });
  await renderStill({ ...optionsOf(root), composition, output });
}
await puppeteerInstance.close({ silent: true });
process.stdout.write(JSON.stringify(found));
