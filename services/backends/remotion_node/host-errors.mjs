/** The errors of a job: what Remotion reports, what nothing has caught in a page, and what the composition has logged. */

const MAX_CONSOLE_ERRORS = 20;
const MAX_TEXT_LENGTH = 2000;
const BROWSER_END_MS = 1000;
const BROWSER_ENDED = /disconnected|closed|crashed|destroyed|detached|ECONNRESET|WebSocket/i;
const RETRIED = /will be retried|ERR_CONNECTION_|ERR_INTERNET_DISCONNECTED|ERR_NETWORK_CHANGED|ERR_ADDRESS_UNREACHABLE/;

export const text = (value) => String(value ?? "").slice(0, MAX_TEXT_LENGTH);

/** Wait, if an error may come from the end of the browser, until its process has ended, which ends this one. */
export const browserEnd = async (error) => {
  if (BROWSER_ENDED.test(String(error?.message))) {
    await new Promise((resolve) => {
      setTimeout(resolve, BROWSER_END_MS);
    });
  }
};

/** Describe an error. It is the composition's if it was thrown in the browser. */
export const describe = (error, job) => ({
  name: text(error?.name || "Error"),
  message: text(error?.message ?? error),
  stack: text(error?.stack),
  inBrowser: Array.isArray(error?.stackFrame),
  console: job.console,
});

/** Return Remotion's option that records the first errors which the composition logs. */
export const onBrowserLog =
  (job) =>
  ({ type, text: logged }) => {
    if (type === "error" && job.console.length < MAX_CONSOLE_ERRORS) {
      job.console.push(text(logged));
    }
  };

/**
 * Record the first error that nothing has caught in a page, and end the drawing. Remotion listens only while it draws a
 * frame, so that it may miss an error of the first mount. The page is then blank, or waits for data until the timeout.
 * Remotion's own retries are no errors.
 */
export const recordError = (job, { exception, text: summary }) => {
  const stack = exception?.description ?? summary;
  if (!RETRIED.test(stack) && !job.uncaught) {
    const [first] = stack.split("\n");
    const name = exception?.className ?? "Error";
    job.uncaught = Object.assign(new Error(first.replace(`${name}: `, "")), { name, stack, stackFrame: [] });
    job.endDrawing?.();
  }
};
