// Shows one of the components, as the test chooses. Markup of a server is hydrated.

import { createClient } from "@rendercast/client";
import type { ComponentType } from "react";
import { createRoot, hydrateRoot, type Root } from "react-dom/client";
import * as app from "./app.js";

const api = location.search.slice(1);
const clients = [createClient({ url: api }), createClient({ url: `${api}/graphql` })] as const;

function toTree(name: Exclude<keyof typeof app, "Page">, props: object, client: 0 | 1) {
  const Shown = app[name] as ComponentType<object>;
  return (
    <app.Page client={clients[client]}>
      <Shown {...props} />
    </app.Page>
  );
}

function openRoot(element: HTMLElement): Root {
  return element.hasChildNodes() ? hydrateRoot(element, toTree("Studio", {}, 0)) : createRoot(element);
}

const root = openRoot(document.getElementById("root") as HTMLElement);

/** Show a component with one of the clients, or nothing. */
const show = (name: Parameters<typeof toTree>[0] | null, props: object = {}, client: 0 | 1 = 0) =>
  root.render(name && toTree(name, props, client));

Object.assign(globalThis, { show });
