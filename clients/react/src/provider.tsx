"use client";

import type { Client } from "@rendercast/client";
import { createContext, type ReactElement, type ReactNode, useContext } from "react";

const ClientContext = createContext<Client | null>(null);

export interface RendercastProviderProps {
  client: Client;
  children?: ReactNode;
}

/** Passes a client to the hooks and components below it. Create the client once, outside of components. */
export function RendercastProvider({ client, children }: RendercastProviderProps): ReactElement {
  return <ClientContext.Provider value={client}>{children}</ClientContext.Provider>;
}

/** Return the client of the nearest provider. Throws an `Error` without a provider. */
export function useClient(): Client {
  const client = useContext(ClientContext);
  if (client === null) throw new Error("Add a <RendercastProvider> above this component.");
  return client;
}
