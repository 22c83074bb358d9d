/** Bundles a Remotion project, by default without Remotion's Studio and webpack's cache. */
import { createRequire } from "node:module";
import { join } from "node:path";
import { withoutStudio } from "./without-studio.cjs";

/** Bundles the project in the folder `rootDir`, and returns the folder of the bundle. */
export const bundle = ({ studio = false, ...options }) => {
  const bundler = createRequire(join(options.rootDir, "package.json"))("@remotion/bundler");
  return studio ? bundler.bundle(options) : withoutStudio(bundler)(options);
};
