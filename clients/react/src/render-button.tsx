"use client";

import type { StartInput } from "@rendercast/client";
import {
  type ComponentPropsWithoutRef,
  type ForwardedRef,
  forwardRef,
  type MouseEvent,
  type ReactElement,
  type ReactNode,
  useCallback,
  useSyncExternalStore,
} from "react";
import type { RenderHandle } from "./use-render.js";

export interface RenderButtonState {
  readonly isStarting: boolean;
  readonly isRunning: boolean;
  /** Seconds until the quota allows the next start; 0 if it does now. */
  readonly secondsLeft: number;
}

export interface RenderButtonProps extends Omit<ComponentPropsWithoutRef<"button">, "children"> {
  /** The result of `useRender`. */
  of: RenderHandle;
  /** What to render, or a function that returns it when the button is pressed. */
  input: StartInput | (() => StartInput);
  /** The label. While the quota is exhausted, the remaining time follows it, unless the label is a function. */
  children: ReactNode | ((state: RenderButtonState) => ReactNode);
}

/**
 * An unstyled button that starts a render.
 *
 * While a render starts or runs, and until the quota allows the next one, it has `aria-disabled` instead of `disabled`,
 * so that it keeps the focus. It has `data-state`: idle, starting, running or waiting.
 */
export const RenderButton = forwardRef(function RenderButton(
  { of, input, children, onClick, ...attributes }: RenderButtonProps,
  ref: ForwardedRef<HTMLButtonElement>,
): ReactElement {
  const { isStarting, isRunning, retryAt, start } = of;
  const secondsLeft = useSecondsUntil(retryAt ?? 0);
  const view = { isStarting, isRunning, secondsLeft };
  const state = stateOf(view);
  const isBlocked = state !== "idle";

  function click(event: MouseEvent<HTMLButtonElement>): void {
    if (isBlocked) event.preventDefault(); // it may be in a form
    else onClick?.(event);
    if (!event.defaultPrevented) void start(typeof input === "function" ? input() : input);
  }

  return (
    <button type="button" data-state={state} aria-disabled={isBlocked} {...attributes} ref={ref} onClick={click}>
      {typeof children === "function" ? children(view) : children}
      {typeof children !== "function" && secondsLeft > 0 && ` ${clock(secondsLeft)}`}
    </button>
  );
});

function stateOf({ isStarting, isRunning, secondsLeft }: RenderButtonState): string {
  if (isStarting) return "starting";
  if (isRunning) return "running";
  return secondsLeft > 0 ? "waiting" : "idle";
}

/** Return the whole seconds until this time, in ms as `Date.now()`; 0 if it has passed. */
function useSecondsUntil(time: number): number {
  const subscribe = useCallback(
    (listener: () => void) => {
      if (time === 0) return () => {};
      const timer = setInterval(listener, 1_000);
      return () => clearInterval(timer);
    },
    [time],
  );
  const read = (): number => Math.max(0, Math.ceil((time - Date.now()) / 1_000));
  return useSyncExternalStore(subscribe, read, () => 0);
}

/** Return a duration as `0:02:03`. */
function clock(seconds: number): string {
  return `${Math.floor(seconds / 3_600)}:${twoDigits(seconds / 60)}:${twoDigits(seconds)}`;
}

function twoDigits(value: number): string {
  return String(Math.floor(value) % 60).padStart(2, "0");
}
