/**
 * The pages of the browser that belong to each job. Uses two private members of the pages of `@remotion/renderer`, as of
 * 4.0.527: `_client()`, the connection of a page to the browser, and `closed`.
 */
import { recordError } from "./host-errors.mjs";
import { watchScreenshots } from "./host-frames.mjs";

const CLOSE_TIMEOUT_MS = 800;
const MAX_PAGES = 8; // of one render, as Remotion's own limit

/**
 * Return how many pages each of some renders may use: one per core, which they share. Remotion's default is half as many,
 * with which a core is idle while a page waits for its screenshot.
 */
export const pagesPerRender = (cores, renders) => Math.max(1, Math.min(MAX_PAGES, Math.round(cores / renders)));

/**
 * Record the new pages of each job, the errors in them, and their frames. `currentJob` returns the job that opens a page,
 * if any; the pages of a job that is not running any more are closed.
 */
export const watchPages = (browser, currentJob, isRunning) => {
  const newPage = browser.newPage.bind(browser);
  browser.newPage = async (...args) => {
    const page = await newPage(...args);
    const job = currentJob();
    if (job) {
      job.pages.add(page);
      const client = page._client?.();
      client?.on("Runtime.exceptionThrown", ({ exceptionDetails }) => recordError(job, exceptionDetails));
      if (client) watchScreenshots(client, (data) => job.frames.add(data));
    }
    if (job && !isRunning(job)) void page.close().catch(() => {}); // the job was cancelled meanwhile
    return page;
  };
};

/** Close the pages that a job has left open, and return whether that has succeeded. */
export const closePages = async ({ pages }) => {
  const open = [...pages].filter((page) => !page.closed);
  if (open.length === 0) {
    return true;
  }
  const closing = Promise.allSettled(open.map((page) => page.close()));
  const timeout = new Promise((resolve) => {
    setTimeout(resolve, CLOSE_TIMEOUT_MS, "timeout");
  });
  return (await Promise.race([closing, timeout])) !== "timeout";
};
