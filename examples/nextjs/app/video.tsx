"use client";

import { createClient } from "@rendercast/client";
import { RenderButton, RendercastProvider, RenderProgress, useRender } from "@rendercast/react";
import { useState } from "react";

/** A form, a progress bar and a player for the signed-in user. `url` is the address of Rendercast. */
export function Video({ url, user }: { url: string; user: string }) {
  const [client] = useState(() => createClient({ url, token: requestToken }));
  return (
    <RendercastProvider client={client}>
      <Form user={user} />
    </RendercastProvider>
  );
}

function Form({ user }: { user: string }) {
  const [text, setText] = useState("Hello");
  const video = useRender({ key: `video of ${user}` });
  return (
    <>
      <label>
        Text <input value={text} maxLength={500} onChange={(event) => setText(event.target.value)} />
      </label>{" "}
      <RenderButton of={video} input={{ text }}>Render</RenderButton>
      <RenderProgress of={video} />
      {video.render?.outputUrl && (
        <video key={video.render.id} src={video.render.outputUrl} style={{ width: "100%" }} controls playsInline />
      )}
    </>
  );
}

/** Request a token from this application's own server. The client asks again when it has expired, and after an error. */
async function requestToken(): Promise<string | null> {
  const response = await fetch("/api/token", { method: "POST" });
  if (response.status === 401) return null; // no user is signed in
  if (!response.ok) throw new Error(`/api/token responded with ${response.status}.`);
  const { token } = (await response.json()) as { token: string };
  return token;
}
