import { createClient } from "@rendercast/client";
import { RendercastProvider } from "@rendercast/react";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App";
import "./style.css";

const client = createClient({ url: import.meta.env["VITE_RENDERCAST_URL"] ?? "http://127.0.0.1:8000" });

const root = document.querySelector("#root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <RendercastProvider client={client}>
        <App />
      </RendercastProvider>
    </StrictMode>,
  );
}
