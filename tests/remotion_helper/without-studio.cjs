/**
 * Bundles Remotion projects without Remotion's Studio: a page that renders does not load it, and it takes three quarters of
 * the 15 s of CPU time of a bundle.
 */
const isImportOfStudio = ({ context, dependencies }) =>
  dependencies[0].type === "import()" && /@remotion\/studio\//.test(context);

const plugin = {
  apply: (compiler) =>
    compiler.hooks.normalModuleFactory.tap("withoutStudio", (factory) =>
      factory.hooks.beforeResolve.tap("withoutStudio", (data) => (isImportOfStudio(data) ? false : undefined)),
    ),
};

/** Returns the function `bundle` of a `@remotion/bundler`, without the Studio and a cache. */
exports.withoutStudio =
  ({ bundle }) =>
  (options) =>
    bundle({
      ...options,
      enableCaching: false,
      webpackOverride: (configuration) => ({ ...configuration, plugins: [...configuration.plugins, plugin] }),
    });
