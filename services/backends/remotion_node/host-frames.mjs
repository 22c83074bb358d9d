/**
 * Writes frames of jobs to files, for previews and posters: the screenshots that Remotion takes anyway. A page
 * shows the frame for which Remotion has last called `remotion_setFrame` in it (of `@remotion/renderer`, as of 4.0.527).
 */
import { rmSync, writeFileSync } from "node:fs";

/**
 * Call `onFrame` with each screenshot of a page, in Base64, and the number of its frame. `client` is the page's connection
 * to the browser.
 */
export const watchScreenshots = (client, onFrame) => {
  const { send } = client;
  let shown = 0;
  client.send = (method, request, ...args) => {
    const response = send.call(client, method, request, ...args);
    if (method === "Runtime.callFunctionOn" && request.functionDeclaration?.includes("remotion_setFrame")) {
      shown = request.arguments?.[0]?.value ?? shown;
    } else if (method === "Page.captureScreenshot") {
      const number = shown;
      response.then(({ value }) => onFrame(value.data, number)).catch(() => {}); // Remotion handles the error
    }
    return response;
  };
};

/**
 * The frames of one job. Writes the next one to the file `path` when it is requested, and calls `onWritten`. Pages draw
 * them out of order; `#last` is the one with the highest number.
 */
export class Frames {
  #path;
  #onWritten;
  #drawn = 0;
  #last = { number: -1, data: null };
  #isRequested = false;
  #isClosed = false;

  constructor(path, onWritten) {
    this.#path = path;
    this.#onWritten = onWritten;
  }

  request() {
    this.#isRequested = true;
  }

  add(data, number) {
    this.#drawn += 1;
    if (this.#isClosed) {
      return;
    }
    if (number >= this.#last.number) {
      this.#last = { number, data };
    }
    if (!this.#isRequested) {
      return;
    }
    this.#isRequested = false;
    try {
      writeFileSync(this.#path, data, "latin1"); // 1 ms for a PNG of 1920 x 1080
      this.#onWritten({ number: this.#drawn, path: this.#path });
    } catch (error) {
      console.error(error); // there are no further previews
    }
  }

  /** Write the last frame to a file, if there is one. */
  writeLast(path) {
    if (this.#last.data) {
      writeFileSync(path, this.#last.data, "latin1");
    }
  }

  /** Remove the file of the preview, and write no further ones. */
  close() {
    this.#isClosed = true;
    this.#last.data = null;
    rmSync(this.#path, { force: true });
  }
}
