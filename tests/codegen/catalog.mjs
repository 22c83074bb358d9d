/**
 * Writes the JSON Schemas of `schemas.ts` by composition id, as the helper of clients/remotion makes them.
 *
 * The argument is the folder of a Remotion project, whose packages are used.
 */
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = process.argv[2];
const { build } = createRequire(join(folder, "package.json"))("esbuild");

const { outputFiles } = await build({
  stdin: {
    contents: `
      export { schemas } from "./schemas";
      export { withRendercast } from "../../clients/remotion/src/rendercast";
    `,
    resolveDir: fileURLToPath(new URL(".", import.meta.url)),
  },
  bundle: true,
  write: false,
  platform: "node",
  format: "cjs",
  nodePaths: [join(folder, "node_modules")],
  logLevel: "error",
});
const module = { exports: {} };
new Function("module", "exports", "require", outputFiles[0].text)(module, module.exports, createRequire(import.meta.url));
const { schemas, withRendercast } = module.exports;

// The catalog is in the props of the hidden composition, which is an element in what the root component renders.
const calculateMetadata = (element) =>
  element?.props?.calculateMetadata ?? [element?.props?.children].flat().filter(Boolean).map(calculateMetadata).find(Boolean);

const { compositions } = calculateMetadata(withRendercast(() => null, { schemas })())().props;
process.stdout.write(JSON.stringify(Object.fromEntries(Object.entries(compositions).map(([id, { schema }]) => [id, schema]))));
