import { useEffect, useSyncExternalStore } from "react";
import { type Connection, currentConnection, onConnected, subscribeToConnection } from "./connection";

const RETRY_DELAY_MS = 5_000;

export const useConnection = (): Connection => useSyncExternalStore(subscribeToConnection, currentConnection);

/** The id of the selected render. It is in the page's URL, so a reload keeps the selection. */
export const useSelectedId = (): string => useSyncExternalStore(subscribeToHash, () => location.hash.slice(1));

function subscribeToHash(listener: () => void): () => void {
  addEventListener("hashchange", listener);
  return () => removeEventListener("hashchange", listener);
}

/** Read data again after each connect: a subscription doesn't repeat changes that were missed. */
export function useOnConnected(read: () => void): void {
  useEffect(() => onConnected(read), [read]);
}

/** Subscribe again after a delay when a subscription has ended with an error. */
export function useRetryAfterError(error: unknown, subscribe: () => void): void {
  useEffect(() => {
    if (error === undefined) return;
    const timer = setTimeout(subscribe, RETRY_DELAY_MS);
    return () => clearTimeout(timer);
  }, [error, subscribe]);
}

/** Read the quota again when its window ends: the server sends no message then. */
export function useAtTime(instant: string | undefined, read: () => void): void {
  useEffect(() => {
    if (instant === undefined) return;
    const timer = setTimeout(read, Math.max(0, Date.parse(instant) - Date.now()) + 1_000);
    return () => clearTimeout(timer);
  }, [instant, read]);
}
