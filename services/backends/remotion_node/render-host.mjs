/**
 * Renders with the project's own `@remotion/renderer` and one browser: `node render-host.mjs CONFIG`.
 *
 * CONFIG is JSON: `{project, browser, chromeMode, frameTimeoutMs, folder}`. `folder` is the folder for temporary files,
 * which is removed at the end. Requests are lines of JSON on stdin, messages lines of JSON on stdout (their fields are
 * in `host_messages.py`); everything else that is written goes to stderr.
 *
 * - `{"type": "select", job, kind, serveUrl, id, inputProps, folder}` evaluates a composition: `composition` or `failed`.
 * - `{"type": "render", job, output, lastFrame, options}` then draws it: `progress`, and `done` or `failed`. If
 *   `lastFrame` is a path, that file gets the last frame that was drawn, as an image in Base64.
 * - `{"type": "compositions", job, serveUrl}` evaluates all compositions: `compositions` or `failed`.
 * - `{"type": "frame", job}` writes the next frame that is drawn to a file, as an image in Base64: `frame`.
 * - `{"type": "cancel", job}` stops a job at once: `cancelled`. It is the last request of each job.
 *
 * When stdin closes, or the browser ends, the process kills all its children, removes the folders of the jobs and exits.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { writeSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { browserEnd, describe, onBrowserLog, text } from "./host-errors.mjs";
import { JobFolders, remove, watchFolders } from "./host-folders.mjs";
import { Frames } from "./host-frames.mjs";
import { closePages, pagesPerRender, watchPages } from "./host-pages.mjs";
import { isRunning, killChildren, killFfmpeg, watchChildren } from "./host-processes.mjs";
import { cacheScripts } from "./host-serving.mjs";

const PROGRESS_INTERVAL_MS = 100;
const ALIVE_INTERVAL_MS = 1000;
const EVALUATION_ALLOWANCE_MS = 5000; // Remotion's own timeouts come first
const LONE_SURROGATE = /(?<!\\)((?:\\\\)*)\\ud[89a-f][0-9a-f]{2}/g; // as JSON.stringify escapes it

const config = JSON.parse(process.argv[2]);
const evaluationTimeoutMs = config.frameTimeoutMs + EVALUATION_ALLOWANCE_MS;
const jobs = new Map();
const folders = new JobFolders(config.folder);
const currentJob = new AsyncLocalStorage();
let browserProcess = null;
let isBrowserOpen = false;

/** Send a message. The composition's texts, and those that are cut, may contain lone surrogates, which parsers reject. */
const send = (message) => {
  const line = Buffer.from(`${JSON.stringify(message).replace(LONE_SURROGATE, "$1\ufffd")}\n`);
  for (let sent = 0; sent < line.length; ) {
    sent += writeSync(1, line, sent);
  }
};

/** Kill all child processes, remove the temporary and unfinished files, and exit. */
const exit = (status) => {
  killChildren();
  folders.removeAll();
  remove(config.folder);
  process.exit(status);
};

const common = (job) => ({
  serveUrl: job.serveUrl,
  puppeteerInstance: browser,
  browserExecutable: config.browser,
  chromeMode: config.chromeMode,
  chromiumOptions: CHROMIUM_OPTIONS,
  timeoutInMilliseconds: config.frameTimeoutMs,
  onBrowserLog: onBrowserLog(job),
  logLevel: "error",
});

/** Wait for an evaluation, for which Remotion has no timeout if the page is busy. */
const evaluated = async (evaluation) => {
  let timer;
  const timeout = new Promise((_, reject) => {
    const message = `Timed out evaluating page function: a composition was not evaluated in ${evaluationTimeoutMs} ms`;
    timer = setTimeout(() => reject(new Error(message)), evaluationTimeoutMs);
  });
  try {
    return await Promise.race([evaluation, timeout]);
  } finally {
    clearTimeout(timer);
  }
};

const select = async (job) => {
  const given = { ...common(job), id: job.id, inputProps: job.inputProps };
  preparePages(job, 1 + (job.kind === "still" ? 1 : pageCount()));
  const composition = await evaluated(selectComposition(given));
  job.composition = composition;
  const { width, height, fps, durationInFrames } = composition;
  send({ type: "composition", job: job.name, width, height, fps, durationInFrames });
};

const listCompositions = async (job) => {
  const compositions = await evaluated(getCompositions(job.serveUrl, common(job)));
  send({ type: "compositions", job: job.name, compositions });
  jobs.delete(job.name);
};

const render = async (job, { output, lastFrame, options }) => {
  const { forceWidth, forceHeight, forceFps, forceDurationInFrames, ...given } = options;
  const { composition, kind } = job;
  const request = {
    ...common(job),
    ...given,
    inputProps: job.inputProps,
    cancelSignal: job.signal.cancelSignal,
    composition: {
      ...composition,
      width: forceWidth ?? composition.width,
      height: forceHeight ?? composition.height,
      fps: forceFps ?? composition.fps,
      durationInFrames: forceDurationInFrames ?? composition.durationInFrames,
    },
  };
  job.uncaught = null;
  job.endDrawing = job.signal.cancel;
  await (kind === "still" ? renderStill({ ...request, output }) : drawFrames(job, request, output));
  if (job.uncaught) {
    throw job.uncaught;
  }
  if (lastFrame) {
    job.frames.writeLast(lastFrame);
  }
  jobs.delete(job.name);
  send({ type: "done", job: job.name });
};

const pageCount = () => pagesPerRender(availableParallelism(), jobs.size);

const drawFrames = async (job, request, outputLocation) => {
  let newest = null;
  const report = () => {
    if (newest && jobs.has(job.name)) {
      send({ type: "progress", job: job.name, ...newest });
      newest = null;
    }
  };
  const timer = setInterval(report, PROGRESS_INTERVAL_MS);
  const onProgress = ({ renderedFrames, encodedFrames, stitchStage }) => {
    newest = { rendered: renderedFrames, encoded: encodedFrames, isCombining: stitchStage === "muxing" };
  };
  try {
    await renderMedia({ ...request, outputLocation, onProgress, concurrency: pageCount() });
    report();
  } finally {
    clearInterval(timer);
  }
};

/** Run a step of a job. A cancelled job has no further messages. */
const run = (job, step) =>
  currentJob.run(job, async () => {
    try {
      await step();
    } catch (error) {
      await browserEnd(error);
      if (jobs.has(job.name)) {
        stop(job);
        send({ type: "failed", job: job.name, ...describe(job.uncaught ?? error, job) });
      }
    } finally {
      if (!jobs.has(job.name)) {
        job.frames.close();
        await endPages(job);
      }
    }
  });

/** End a job that is not done, and its FFmpeg. Remotion removes its temporary folders only if FFmpeg ends by itself. */
const stop = (job) => {
  jobs.delete(job.name);
  job.isStopped = true;
  void killFfmpeg(job).then((wasRunning) => wasRunning && job.temporary.forEach(remove));
};

const cancel = (job) => {
  stop(job);
  job.frames.close();
  job.signal.cancel();
  send({ type: "cancelled", job: job.name });
  void endPages(job);
};

/** Close the pages of a job. If one stays open, this process must not be used for further jobs. */
const endPages = async (job) => {
  if (!(await closePages(job))) {
    send({ type: "unusable", reason: "a page could not be closed" });
  }
};

const newJob = (request) => {
  const name = request.job;
  const onFrame = (frame) => send({ type: "frame", job: name, ...frame });
  const frames = new Frames(join(config.folder, `frame-${name}`), onFrame);
  const collections = { console: [], pages: new Set(), prepared: [], temporary: [] };
  const job = { ...request, ...collections, name, frames, isStopped: false, signal: makeCancelSignal() };
  jobs.set(job.name, job);
  return job;
};

const handle = (request) => {
  const job = jobs.get(request.job);
  switch (request.type) {
    case "select": {
      folders.add(request.job, request.folder);
      const selected = newJob(request);
      void run(selected, () => select(selected));
      break;
    }
    case "compositions": {
      const listed = newJob(request);
      void run(listed, () => listCompositions(listed));
      break;
    }
    case "render":
      if (job) {
        void run(job, () => render(job, request));
      }
      break;
    case "frame":
      job?.frames.request();
      break;
    case "cancel":
      if (job) {
        cancel(job);
      }
      folders.delete(request.job);
      break;
    default:
      throw new Error(`There is no request "${request.type}".`);
  }
};

// Nothing but messages may be written to stdout, also by the project's code.
Object.defineProperty(process, "stdout", { get: () => process.stderr });
console.log = console.info = console.debug = console.error;
watchChildren({
  currentJob: () => currentJob.getStore(),
  onBrowser: (child) => {
    browserProcess = child;
    child.once("exit", () => isBrowserOpen && exit(1)); // else the error says why it did not open
  },
  onFfmpeg: (job) => {
    if (job.isStopped) {
      job.temporary.forEach(remove);
      throw new Error("the job has ended");
    }
  },
});
watchFolders(config.folder, () => currentJob.getStore());
cacheScripts(() => currentJob.getStore()?.serveUrl);
process.on("SIGTERM", () => exit(1));
process.on("unhandledRejection", (error) => console.error(error)); // Remotion leaves some when a render is stopped
process.on("uncaughtException", (error) => {
  console.error(error);
  send({ type: "unusable", reason: text(error?.message) });
});

const lines = createInterface({ input: process.stdin });
const requests = [];
let onRequest = (request) => requests.push(request);
lines.on("line", (line) => onRequest(JSON.parse(line)));
lines.on("close", () => exit(0));

const CHROMIUM_OPTIONS = { enableMultiProcessOnLinux: true };
const require = createRequire(join(config.project, "package.json"));
const { getCompositions, makeCancelSignal, openBrowser, renderMedia, renderStill, selectComposition } =
  require("@remotion/renderer");
const browser = await openBrowser("chrome", {
  browserExecutable: config.browser,
  chromeMode: config.chromeMode,
  chromiumOptions: CHROMIUM_OPTIONS,
  logLevel: "error",
}).catch((error) => {
  send({ type: "unavailable", message: text(error?.message ?? error) });
  exit(1);
});
isBrowserOpen = true;
if (browserProcess && !isRunning(browserProcess)) {
  exit(1); // it has ended meanwhile
}
const preparePages = watchPages(
  browser,
  () => currentJob.getStore(),
  (job) => jobs.has(job.name),
);
send({ type: "ready" });
setInterval(() => send({ type: "alive" }), ALIVE_INTERVAL_MS);
onRequest = handle;
requests.forEach(handle);
