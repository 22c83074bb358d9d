// What the helper imports from Remotion, on a version of it that has no `Internals`.
export { Composition, continueRender, delayRender, getRemotionEnvironment } from "remotion";
