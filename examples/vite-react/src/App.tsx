import { RenderButton, RenderProgress, useRender } from "@rendercast/react";
import { useState } from "react";

export function App() {
  const [text, setText] = useState("Hello");
  const video = useRender({ key: "video" }); // with a key, the render stays on the page after a reload

  return (
    <main>
      <h1>Render</h1>
      <label>
        Text
        <input value={text} maxLength={500} onChange={(event) => setText(event.target.value)} />
      </label>
      <RenderButton of={video} input={{ text }}>Render</RenderButton>
      {video.isRunning && <button type="button" onClick={video.cancel}>Cancel</button>}
      <RenderProgress of={video} />
      {video.render?.outputUrl && (
        <>
          <video key={video.render.id} src={video.render.outputUrl} poster={video.render.posterUrl ?? ""} controls playsInline />
          <a href={video.render.outputUrl}>Download</a>
        </>
      )}
    </main>
  );
}
