// The test replaces this file: it is the helper on a version of Remotion that has no `Internals`.
export { withRendercast } from "./helper";
