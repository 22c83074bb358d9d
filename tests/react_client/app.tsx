// The components of the tests' page, which a server renders too.

import type { Client } from "@rendercast/client";
import {
  RenderButton,
  RendercastProvider,
  RenderProgress,
  useRender,
  useRenderProgress,
  useRenders,
} from "@rendercast/react";
import { Component, type FormEvent, type ReactNode, startTransition, StrictMode, Suspense, useState } from "react";

export function Page({ client, children }: { client: Client; children: ReactNode }) {
  return (
    <StrictMode>
      <RendercastProvider client={client}>
        <main>
          <h1>Renders</h1>
          <Suspense fallback={<p>Loading</p>}>{children}</Suspense>
        </main>
      </RendercastProvider>
    </StrictMode>
  );
}

/** A button, its render, and the user's renders. */
export function Studio() {
  const promo = useRender({ key: "promo" });
  return (
    <>
      <RenderButton of={promo} input={{ text: "Hello" }} className="start">
        Render
      </RenderButton>
      <button type="button" onClick={() => void promo.cancel()}>Cancel</button>
      <button type="button" onClick={() => void promo.start({ text: "" })}>Start without a text</button>
      <button type="button" onClick={() => void promo.retry()}>Retry</button>
      <button type="button" onClick={promo.reset}>Forget</button>
      <Status />
      {promo.render?.outputUrl && <a href={promo.render.outputUrl}>Video</a>}
      <button type="button" onClick={promo.refresh}>Refresh the URL</button>
      <List />
    </>
  );
}

/** Shares the render of `Studio` by its key. */
function Status() {
  const promo = useRender({ key: "promo" });
  return <RenderProgress of={promo} className="progress" />;
}

function List() {
  const { renders, hasMore, loadMore, refresh, error } = useRenders({ first: 2 });
  return (
    <section aria-label="List">
      <ul>
        {renders.map(({ id, animationProps, status }) => <li key={id}>{`${animationProps?.text} ${status}`}</li>)}
      </ul>
      {hasMore && <button type="button" onClick={loadMore}>More</button>}
      <button type="button" onClick={refresh}>Refresh</button>
      {error && <p role="alert">{error.message}</p>}
    </section>
  );
}

/** Progress bars of these renders. */
export function Bars({ ids }: { ids: string[] }) {
  return <>{ids.map((id, index) => <RenderProgress key={index} renderId={id} data-id={id} />)}</>;
}

/** An own progress bar. */
export function OwnBar({ id }: { id: string }) {
  return (
    <RenderProgress renderId={id}>
      {({ render, progressProps }) => <div {...progressProps}>{render?.progress}</div>}
    </RenderProgress>
  );
}

class Boundary extends Component<{ children: ReactNode }> {
  override state = { message: "" };

  static getDerivedStateFromError(error: Error) {
    return { message: error.message };
  }

  override render() {
    return this.state.message ? <p role="alert">{this.state.message}</p> : this.props.children;
  }
}

/** A bar whose content throws when the render has progressed. */
export function Broken({ id }: { id: string }) {
  return (
    <Boundary>
      <RenderProgress renderId={id}>
        {({ render }) => {
          if (render?.progress) throw new Error("The bar is broken.");
          return null;
        }}
      </RenderProgress>
    </Boundary>
  );
}

/** A bar of the render that was chosen last, in a transition. */
export function Choice({ ids }: { ids: string[] }) {
  const [id, choose] = useState<string | null>(null);
  const { render } = useRenderProgress(id);
  return (
    <>
      {ids.map((each, index) => (
        <button key={each} type="button" onClick={() => startTransition(() => choose(each))}>{`Choose ${index}`}</button>
      ))}
      <p role="status">{id === null ? "none" : `${ids.indexOf(id)} ${render?.id === id} ${render?.progress}`}</p>
    </>
  );
}

/** A button without a key, in a form. */
export function Once({ text }: { text: string }) {
  const once = useRender();
  const [submits, setSubmits] = useState(0);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setSubmits((number) => number + 1);
  };
  return (
    <form onSubmit={submit}>
      <RenderButton of={once} input={() => ({ text })} type="submit">
        {({ isStarting, isRunning }) => (isStarting ? "Starting" : isRunning ? "Running" : "Start")}
      </RenderButton>
      <p>{`${submits} submitted`}</p>
    </form>
  );
}
