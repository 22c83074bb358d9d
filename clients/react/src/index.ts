"use client";

export { RendercastProvider, type RendercastProviderProps, useClient } from "./provider.js";
export { RenderButton, type RenderButtonProps, type RenderButtonState } from "./render-button.js";
export {
  type ProgressBarProps,
  RenderProgress,
  type RenderProgressMessages,
  type RenderProgressProps,
  type RenderProgressView,
} from "./render-progress.js";
export { type RenderHandle, useRender, type UseRenderOptions } from "./use-render.js";
export { type RenderProgressState, useRenderProgress } from "./use-render-progress.js";
export { type RenderList, useRenders, type UseRendersOptions } from "./use-renders.js";
