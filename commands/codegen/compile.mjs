/**
 * Compiles a JSON Schema to TypeScript by the package json-schema-to-typescript of the user's project.
 *
 * Standard input is JSON: `{folders, schema, name, banner}`. The package is looked for in the folders, in this order, and in those
 * above them. Writes the TypeScript, or exits with `NOT_INSTALLED`.
 */
import { createRequire } from "node:module";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { pathToFileURL } from "node:url";

const NOT_INSTALLED = 3;
const PACKAGE = "json-schema-to-typescript";

const { folders, schema, name, banner } = await json(process.stdin);

const resolved = (folder) => {
  try {
    return [createRequire(join(folder, "package.json")).resolve(PACKAGE)];
  } catch {
    return [];
  }
};

const [path] = folders.flatMap(resolved);
if (path === undefined) {
  process.exit(NOT_INSTALLED);
}
const { compile } = await import(pathToFileURL(path).href);
const options = {
  additionalProperties: false,
  bannerComment: banner,
  $refOptions: { resolve: { external: false } },
};
process.stdout.write(await compile(schema, name, options));
