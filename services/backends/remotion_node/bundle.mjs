/**
 * Bundles a Remotion project with the project's own packages: with `@remotion/bundler` or, if the project has a
 * configuration file, with Remotion's command line, which reads it.
 *
 * The argument is JSON: `{packages, cli, project, entry, output}`: the folder from which `@remotion/bundler` is resolved,
 * the program of the command line or null, the project, its entry point or null, and the folder for the bundle. Writes
 * the reason to stderr if it fails. Ends when its standard input ends, which is when its parent has ended.
 */
import { createRequire } from "node:module";
import { join } from "node:path";

const { packages, cli, project, entry, output } = JSON.parse(process.argv[2]);
const require = createRequire(join(packages, "package.json"));

process.stdin.on("end", () => process.exit(1)).resume();
process.stdin.unref();

const runCommandLine = () => {
  const options = [`--out-dir=${output}`, "--log=error", "--disable-git-source"];
  process.argv.splice(1, Infinity, cli, "bundle", ...(entry === null ? [] : [entry]), ...options);
  require(cli);
};

const runBundler = async () => {
  try {
    await require("@remotion/bundler").bundle({ entryPoint: entry, rootDir: project, outDir: output });
    process.exit(0);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`, () => process.exit(1));
  }
};

if (cli === null) {
  await runBundler();
} else {
  runCommandLine();
}
