// @ts-check
// EventSource can't send a token, so this page is for `rendercast dev`, or for a backend that adds the token.
const API = new URLSearchParams(location.search).get("api") ?? "http://127.0.0.1:8000/graphql";

const START = `mutation Start($input: StartRenderInput!) {
  startRender(input: $input) {
    ... on UserError { message }
    ... on InvalidAnimation { problems { message } }
    ... on StartRenderSuccess { render { id } }
  }
}`;
const PROGRESS = `subscription Progress($id: ID!) {
  renderProgress(renderId: $id) { status progress queuePosition error { message } outputUrl posterUrl }
}`;

const form = /** @type {HTMLFormElement} */ (document.querySelector("#form"));
const bar = /** @type {HTMLProgressElement} */ (document.querySelector("#progress"));
const video = /** @type {HTMLVideoElement} */ (document.querySelector("#video"));
const line = /** @type {HTMLElement} */ (document.querySelector("#status"));

/** The key of the render that the form describes: a second click and a retry start nothing twice. */
let idempotencyKey = crypto.randomUUID();
/** @type {EventSource | undefined} */
let events;

form.addEventListener("input", () => (idempotencyKey = crypto.randomUUID()));
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  line.textContent = "Starting…";
  try {
    watch(await start(String(new FormData(form).get("text"))));
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    line.textContent = error instanceof TypeError ? "Rendercast can't be reached. Please try again." : message;
  }
});

/**
 * Start a render and return its id. Throws an error whose message is a sentence for the user.
 * @param {string} text
 * @returns {Promise<string>}
 */
async function start(text) {
  const response = await fetch(API, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ query: START, variables: { input: { animationProps: { text }, idempotencyKey } } }),
  });
  const { data, errors } = await response.json();
  if (errors) throw new Error(errors[0].message);
  const { render, message, problems } = data.startRender;
  if (!render) throw new Error(problems?.[0].message ?? message);
  idempotencyKey = crypto.randomUUID();
  return render.id;
}

/**
 * Show a render from its current state to its end. The browser reconnects by itself.
 * @param {string} id
 */
function watch(id) {
  events?.close();
  video.removeAttribute("src");
  const url = new URL(API);
  url.searchParams.set("query", PROGRESS);
  url.searchParams.set("variables", JSON.stringify({ id }));
  const opened = (events = new EventSource(url));
  opened.addEventListener("next", ({ data }) => {
    const result = JSON.parse(data);
    if (result.errors) line.textContent = result.errors[0].message;
    else show(result.data.renderProgress);
  });
  opened.addEventListener("complete", () => opened.close());
  opened.addEventListener("error", () => {
    line.textContent = opened.readyState === EventSource.CLOSED ? "The render can't be shown. Reload the page." : "Offline. Trying again…";
  });
}

/** @param {{ status: string, progress: number, queuePosition?: number, error?: { message: string }, outputUrl?: string, posterUrl?: string }} render */
function show(render) {
  line.textContent = {
    QUEUED: `Waiting, place ${render.queuePosition ?? 1} in the queue`,
    RENDERING: `Rendering, ${render.progress} %`,
    COMPLETE: "Done",
    FAILED: render.error?.message,
    CANCELLED: "Cancelled",
  }[render.status] ?? render.status;
  bar.hidden = render.status !== "QUEUED" && render.status !== "RENDERING";
  bar.value = render.progress;
  video.hidden = !render.outputUrl;
  if (render.outputUrl && !video.src) {
    video.poster = render.posterUrl ?? "";
    video.src = render.outputUrl;
  }
}
