/**
 * The pages of the browser that belong to each job. Uses two private members of the pages of `@remotion/renderer`, as of
 * 4.0.527: `_client()`, the connection of a page to the browser, and `closed`.
 */
import { recordError } from "./host-errors.mjs";
import { watchScreenshots } from "./host-frames.mjs";

const CLOSE_TIMEOUT_MS = 800;
const MAX_PAGES = 8; // of one render, as Remotion's own limit
const PAGES_PER_CORE = 2; // of all renders: two renders on two cores take 10 % longer with one

/**
 * Return how many pages each of some renders may use: one per core, the most that Remotion allows, and all together two
 * per core. Remotion's default is half a page per core, with which a core is idle while a page waits for its screenshot.
 */
export const pagesPerRender = (cores, renders) =>
  Math.max(1, Math.min(MAX_PAGES, cores, Math.round((PAGES_PER_CORE * cores) / renders)));

/**
 * Record the new pages of each job, the errors in them, and their frames. `currentJob` returns the job that opens a page,
 * if any; the pages of a job that is not running any more are closed.
 *
 * Return a function that opens a number of empty pages for a job, which Remotion gets when it opens pages for it: a page
 * is a process, whose start takes 0.1 s. The first one does not share the cores with the others.
 */
export const watchPages = (browser, currentJob, isRunning) => {
  const newPage = browser.newPage.bind(browser);
  const open = async (job, options) => {
    const page = await newPage(options);
    job.pages.add(page);
    const client = page._client?.();
    client?.on("Runtime.exceptionThrown", ({ exceptionDetails }) => recordError(job, exceptionDetails));
    if (client) watchScreenshots(client, (data, number) => job.frames.add(data, number));
    if (!isRunning(job)) void page.close().catch(() => {}); // the job was cancelled meanwhile
    return page;
  };
  browser.newPage = (options) => {
    const job = currentJob();
    const prepared = job?.prepared.shift();
    return prepared?.(options) ?? (job ? open(job, options) : newPage(options));
  };
  return (job, count) => {
    const first = prepare((options) => open(job, options));
    const openLater = (options) => first.opening.then(() => open(job, options));
    const others = Array.from({ length: count - 1 }, () => prepare(openLater));
    job.prepared.push(first.take, ...others.map(({ take }) => take));
  };
};

/** Open a page. `take` returns it, and makes it use the given options from then on. */
const prepare = (open) => {
  let options = {};
  const opening = open({
    context: () => options.context?.() ?? null,
    logLevel: "error",
    indent: false,
    pageIndex: 0,
    onBrowserLog: (entry) => options.onBrowserLog?.(entry),
    onLog: (entry) => options.onLog?.(entry),
  });
  opening.catch(() => {}); // the caller that gets the page handles it
  const take = (given) => {
    options = given;
    return opening;
  };
  return { take, opening };
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
