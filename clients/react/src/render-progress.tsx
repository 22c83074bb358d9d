"use client";

import type { Render } from "@rendercast/client";
import {
  type ComponentPropsWithoutRef,
  type CSSProperties,
  type ForwardedRef,
  forwardRef,
  type ReactElement,
  type ReactNode,
} from "react";
import type { RenderHandle } from "./use-render.js";
import { useRenderProgress } from "./use-render-progress.js";

/** Attributes for an own element that shows the progress. */
export interface ProgressBarProps {
  role: "progressbar";
  "aria-label": string;
  "aria-valuemin": 0;
  "aria-valuemax": 100;
  /** Whole percent; undefined while the render waits. */
  "aria-valuenow": number | undefined;
}

export interface RenderProgressView {
  readonly render: Render | null;
  readonly error: Error | null;
  readonly progressProps: ProgressBarProps;
}

export interface RenderProgressMessages {
  COMPLETE: string;
  CANCELLED: string;
  /** Default: the reason, as the server has written it. */
  FAILED: string;
}

export interface RenderProgressProps extends Omit<ComponentPropsWithoutRef<"div">, "children"> {
  /** The result of `useRender`. Also shows why a start has failed. */
  of?: Pick<RenderHandle, "render" | "error" | "isStarting"> | undefined;
  /** The id of a render, instead of `of`. */
  renderId?: string | null | undefined;
  /** The name of the progress bar for screen readers. */
  label?: string | undefined;
  /** The sentences for the end of a render, such as in another language. */
  messages?: Partial<RenderProgressMessages> | undefined;
  /** A function that replaces the content. Screen readers still announce the end and errors. */
  children?: ((view: RenderProgressView) => ReactNode) | undefined;
}

const MESSAGES = {
  COMPLETE: "The render is complete.",
  CANCELLED: "The render was cancelled.",
};

/** For screen readers only. Takes no space and does not make the page scroll. */
const HIDDEN: CSSProperties = { position: "fixed", clipPath: "inset(50%)" };

/**
 * The progress of a render, unstyled: a progress bar while it waits and runs, then a sentence about its end.
 *
 * The end and errors are announced by screen readers, the percentage is not. The `<div>` has `data-status`: the
 * render's status, STARTING, or IDLE without a render.
 */
export const RenderProgress = forwardRef(function RenderProgress(
  { of, renderId = null, label = "Render progress", messages, children, ...attributes }: RenderProgressProps,
  ref: ForwardedRef<HTMLDivElement>,
): ReactElement {
  const watched = useRenderProgress(of === undefined ? renderId : null);
  const { render, error } = of ?? watched;
  const status = of?.isStarting ? "STARTING" : (render?.status ?? "IDLE");
  const isWaiting = status === "STARTING" || status === "QUEUED";
  const value = isWaiting ? undefined : render?.progress;
  const ends: Record<string, string | undefined> = { ...MESSAGES, FAILED: render?.error?.message, ...messages };
  const progressProps: ProgressBarProps = {
    role: "progressbar",
    "aria-label": label,
    "aria-valuemin": 0,
    "aria-valuemax": 100,
    "aria-valuenow": value,
  };
  return (
    <div data-status={status} {...attributes} ref={ref}>
      {children === undefined
        ? (isWaiting || status === "RENDERING") && <progress aria-label={label} max={100} value={value} />
        : children({ render, error, progressProps })}
      <div role="status" style={children && HIDDEN}>
        {error?.message ?? ends[status]}
      </div>
    </div>
  );
});
