/**
 * Bundles a Remotion project, by default without Remotion's Studio: a page that renders does not load it, and it takes three
 * quarters of the 15 s of CPU time of a bundle.
 */
import { createRequire } from "node:module";
import { join } from "node:path";

const isImportOfStudio = ({ context, dependencies }) =>
  dependencies[0].type === "import()" && /@remotion\/studio\//.test(context);

const withoutStudio = {
  apply: (compiler) =>
    compiler.hooks.normalModuleFactory.tap("withoutStudio", (factory) =>
      factory.hooks.beforeResolve.tap("withoutStudio", (data) => (isImportOfStudio(data) ? false : undefined)),
    ),
};

/** Bundles the project in the folder `rootDir`, and returns the folder of the bundle. */
export const bundle = ({ studio = false, ...options }) => {
  const require = createRequire(join(options.rootDir, "package.json"));
  const webpackOverride = (configuration) =>
    studio ? configuration : { ...configuration, plugins: [...configuration.plugins, withoutStudio] };
  return require("@remotion/bundler").bundle({ ...options, enableCaching: false, webpackOverride });
};
