import type { StartInput } from "@rendercast/client";

export type StorageArea = "session" | "local";

/** A start without a known result. */
export interface PendingStart {
  readonly input: StartInput;
  readonly idempotencyKey: string;
  /** In ms as `Date.now()`. A start with the same input before has the same idempotency key. */
  readonly repeatUntil: number;
  /** Whether the user has seen its error. Otherwise a new page repeats it by itself. */
  readonly hasFailed: boolean;
}

/** What survives a reload: the id of the render and a start without a known result. */
export interface Remembered {
  readonly id: string | null;
  readonly pending: PendingStart | null;
}

const NOTHING: Remembered = { id: null, pending: null };

export interface Memory {
  read(): Remembered;
  write(state: Remembered): void;
}

/** Storage of the browser under one key. Remembers nothing if the key is null or the browser has no storage. */
export function openMemory(key: string | null, area: StorageArea): Memory {
  const name = `rendercast ${key}`;
  const use = <Result>(action: (storage: Storage) => Result): Result | undefined => {
    try {
      return key === null ? undefined : action(area === "local" ? localStorage : sessionStorage);
    } catch {
      return undefined; // storage is blocked or full, or another program has written a text that is not JSON
    }
  };
  return {
    read: () => use((storage): Remembered => ({ ...NOTHING, ...JSON.parse(storage.getItem(name) ?? "{}") })) ?? NOTHING,
    write: (state) => use((storage) => storage.setItem(name, JSON.stringify(state))),
  };
}
