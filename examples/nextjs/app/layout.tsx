import type { ReactNode } from "react";

export const metadata = { title: "Render" };

export default function Layout({ children }: { children: ReactNode }) {
  return (
    <html lang="en">
      <body style={{ maxWidth: "40rem", margin: "2rem auto", padding: "0 1rem", font: "1rem/1.5 system-ui, sans-serif" }}>
        <main>
          <h1>Render</h1>
          {children}
        </main>
      </body>
    </html>
  );
}
