import { type ReactNode, type SubmitEvent, useId, useRef, useState } from "react";
import type { Connection } from "./connection";
import type { AnimationStyle, QuotaFieldsFragment, StartRenderInput } from "./gql/graphql";
import { useConnection } from "./hooks";
import { isUnfinished, type Render, type StartResult } from "./renders";

const STATUS: Record<Render["status"], string> = {
  QUEUED: "Waiting",
  RENDERING: "Rendering",
  COMPLETE: "Done",
  FAILED: "Failed",
  CANCELLED: "Cancelled",
};
const CONNECTION: Partial<Record<Connection["state"], string>> = {
  connecting: "Connecting…",
  live: "Live",
  offline: "Offline. Trying again…",
};
const STYLES: Record<AnimationStyle, string> = {
  FADE_IN: "Fade in",
  TYPEWRITER: "Typewriter",
  SLIDE_UP: "Slide up",
  SCALE: "Scale",
};
const MIN_URL_LIFETIME_MS = 60_000; // a URL that expires sooner is replaced before it is used

const time = (instant: string | Date): string => new Date(instant).toLocaleTimeString([], { timeStyle: "short" });
const titleOf = ({ animationProps, compositionId }: Render): string => animationProps?.text ?? compositionId;
const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

export function ConnectionState() {
  const { state, reason } = useConnection();
  return <p role="status">{CONNECTION[state] ?? reason}</p>; // the server's message, if it has rejected the connection
}

export function QuotaLine({ quota }: { quota: QuotaFieldsFragment }) {
  const { remaining, limit, resetsAt } = quota;
  return <p>{`${remaining} of ${limit} renders left until ${time(resetsAt)}`}</p>;
}

type StartError = { message: string; problems: { field: string; message: string }[] };

/** Return the error of a result, null if the render was started. Each member of the union has a case. */
function errorOf(result: StartResult): StartError | null {
  switch (result.__typename) {
    case "StartRenderSuccess":
      return null;
    case "InvalidAnimation":
      return { message: "Please correct the marked fields.", problems: result.problems };
    case "RenderQuotaExceeded": {
      const retryAt = new Date(Date.now() + result.retryAfterSeconds * 1_000); // correct even if this clock is wrong
      return { message: `${result.message} The next start is possible at ${time(retryAt)}.`, problems: [] };
    }
    case "InvalidInput": // about compositions and outputs, which this form doesn't have
    case "IdempotencyKeyReused":
    case "RenderServiceNotConfigured":
      return { message: result.message, problems: [] };
    default:
      return unknownResult(result);
  }
}

/** TypeScript reports a missing case above. A newer server may still return a member that this page doesn't know. */
function unknownResult(_result: never): StartError {
  return { message: "The render could not be started. Please reload the page.", problems: [] };
}

export function StartForm({ onStart }: { onStart: (input: StartRenderInput) => Promise<StartResult> }) {
  const [error, setError] = useState<StartError | null>(null);
  // A second click and a retry after a lost response send the same key: one render, one unit of quota.
  const idempotencyKey = useRef(crypto.randomUUID());
  const renewKey = () => void (idempotencyKey.current = crypto.randomUUID());

  async function submit(event: SubmitEvent<HTMLFormElement>): Promise<void> {
    event.preventDefault();
    const animationProps = readForm(new FormData(event.currentTarget));
    const key = idempotencyKey.current;
    try {
      const result = await onStart({ animationProps, idempotencyKey: key });
      setError(errorOf(result));
      if (result.__typename !== "StartRenderSuccess") return;
      if (idempotencyKey.current === key) renewKey();
      location.hash = result.render.id;
    } catch (problem) {
      setError({ message: messageOf(problem), problems: [] });
    }
  }

  const problem = (field: string) => error?.problems.find((each) => each.field === field)?.message;
  return (
    <form noValidate onSubmit={submit} onChange={renewKey}>
      <Field label="Text" problem={problem("text")}>
        {(props) => <input {...props} name="text" defaultValue="Hello!" />}
      </Field>
      <Field label="Style" problem={problem("style")}>
        {(props) => (
          <select {...props} name="style">
            {Object.entries(STYLES).map(([style, name]) => <option key={style} value={style}>{name}</option>)}
          </select>
        )}
      </Field>
      <Field label="Frames" problem={problem("durationInFrames")}>
        {(props) => <input {...props} name="durationInFrames" type="number" min={1} defaultValue={90} />}
      </Field>
      <button type="submit">Render</button>
      {error && <p role="alert">{error.message}</p>}
    </form>
  );
}

function readForm(form: FormData): StartRenderInput["animationProps"] {
  const style = Object.keys(STYLES).find((each): each is AnimationStyle => each === form.get("style"));
  return {
    text: String(form.get("text")),
    style: style ?? "FADE_IN",
    durationInFrames: Number(form.get("durationInFrames")),
    fontFamily: "Inter",
    fontSize: 96,
    color: "white",
    backgroundColor: "#103050",
  };
}

type ControlProps = { id: string; "aria-invalid": boolean; "aria-describedby": string };
type FieldProps = { label: string; problem: string | undefined; children: (props: ControlProps) => ReactNode };

/** A form control with its label and the problem of its value. */
function Field({ label, problem, children }: FieldProps) {
  const id = useId();
  const problemId = `${id}-problem`;
  return (
    <p>
      <label htmlFor={id}>{label}</label>{" "}
      {children({ id, "aria-invalid": problem !== undefined, "aria-describedby": problemId })}{" "}
      <span id={problemId}>{problem}</span>
    </p>
  );
}

type Actions = { onCancel: (id: string) => Promise<void>; onRefresh: (id: string) => Promise<Render> };

/** The selected render: its progress until it ends, then its video. */
export function RenderView({ render, onCancel, onRefresh }: { render: Render } & Actions) {
  const [message, setMessage] = useState("");
  const { status, cancelRequested, error, warnings } = render;
  const cancel = () => onCancel(render.id).catch((problem: unknown) => setMessage(messageOf(problem)));
  return (
    <section aria-labelledby="render-heading">
      <h2 id="render-heading">{titleOf(render)}</h2>
      <p role="status">{cancelRequested && status === "RENDERING" ? "Cancelling" : STATUS[status]}</p>
      {isUnfinished(render) && <Progress render={render} />}
      {isUnfinished(render) && <button type="button" onClick={cancel}>Cancel</button>}
      {status === "COMPLETE" && <Player render={render} onRefresh={onRefresh} />}
      {warnings.map((warning) => <p key={warning}>{warning}</p>)}
      {error && <p role="alert">{error.message}</p>}
      {message && <p role="alert">{message}</p>}
    </section>
  );
}

/** The bar is indeterminate while the render waits: it has no value then. Its text is not announced at each change. */
function Progress({ render }: { render: Render }) {
  const { status, progress, framesRendered, totalFrames, queuePosition } = render;
  const isWaiting = status === "QUEUED";
  const count = isWaiting ? `Number ${queuePosition ?? 1} in the queue` : `${framesRendered} of ${totalFrames} frames`;
  return (
    <p>
      <progress aria-label="Progress" max={100} value={isWaiting ? undefined : progress} /> {count}
    </p>
  );
}

/** The video. It keeps its URLs, although they change every few minutes, until they fail. */
function Player({ render, onRefresh }: { render: Render } & Pick<Actions, "onRefresh">) {
  const [source, setSource] = useState({ url: render.outputUrl, expiresAt: render.outputUrlExpiresAt });
  const [poster] = useState(render.posterUrl);
  const [message, setMessage] = useState("");
  const position = useRef(0);
  const isRetry = useRef(false);

  async function refresh(): Promise<string | null> {
    try {
      const { outputUrl, outputUrlExpiresAt } = await onRefresh(render.id);
      setSource({ url: outputUrl, expiresAt: outputUrlExpiresAt });
      return outputUrl;
    } catch (problem) {
      setMessage(messageOf(problem));
      return null;
    }
  }

  async function reload(video: HTMLVideoElement): Promise<void> {
    if (isRetry.current) return setMessage("The video can't be played here. Download it instead.");
    isRetry.current = true;
    position.current = video.currentTime;
    const url = await refresh();
    if (url === video.src) video.load(); // the URL stays the same for some minutes
  }

  function resume(video: HTMLVideoElement): void {
    isRetry.current = false;
    video.currentTime = position.current;
  }

  async function downloadFresh(): Promise<void> {
    const href = await refresh();
    if (href !== null) Object.assign(document.createElement("a"), { href, download: "", target: "_blank" }).click();
  }

  const isFresh = (): boolean => Date.parse(source.expiresAt ?? "") - Date.now() > MIN_URL_LIFETIME_MS;
  return (
    <>
      <video
        controls
        preload="metadata"
        aria-label={titleOf(render)}
        poster={poster ?? undefined}
        src={source.url ?? undefined}
        onError={(event) => void reload(event.currentTarget)}
        onLoadedMetadata={(event) => resume(event.currentTarget)}
      />
      <a
        download
        target="_blank"
        href={source.url ?? undefined}
        onClick={(event) => {
          if (isFresh()) return;
          event.preventDefault();
          void downloadFresh();
        }}
      >
        Download
      </a>
      {message && <p role="alert">{message}</p>}
    </>
  );
}

export function RenderList({ renders, onMore }: { renders: Render[]; onMore: (() => void) | undefined }) {
  return (
    <section aria-labelledby="list-heading">
      <h2 id="list-heading">My renders</h2>
      <ul aria-labelledby="list-heading">
        {renders.map((render) => (
          <li key={render.id}>
            <a href={`#${render.id}`}>{titleOf(render)}</a> {STATUS[render.status]}
            {render.status === "RENDERING" && ` ${render.progress} %`}
          </li>
        ))}
      </ul>
      {onMore && <button type="button" onClick={onMore}>Show older renders</button>}
    </section>
  );
}
