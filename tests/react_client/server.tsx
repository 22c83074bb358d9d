// Prints the markup of the studio, as a server renders it.

import { createClient } from "@rendercast/client";
import { renderToString } from "react-dom/server";
import { Page, Studio } from "./app.js";

const client = createClient({ url: "http://127.0.0.1:1" }); // no request may be sent

declare const process: { stdout: { write(text: string): void } };

process.stdout.write(
  renderToString(
    <Page client={client}>
      <Studio />
    </Page>,
  ),
);
