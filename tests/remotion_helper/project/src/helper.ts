export { withRendercast } from "@rendercast/remotion";
export type { RendercastOptions } from "@rendercast/remotion";
