/** Writes frames of running jobs to files, for previews: answers to the screenshots that Remotion takes anyway. */
import { rmSync, writeFileSync } from "node:fs";

/** Call `onFrame` with each screenshot of a page, in Base64. `client` is the page's connection to the browser. */
export const watchScreenshots = (client, onFrame) => {
  const { send } = client;
  client.send = (method, ...args) => {
    const answer = send.call(client, method, ...args);
    if (method === "Page.captureScreenshot") {
      answer.then(({ value }) => onFrame(value.data)).catch(() => {}); // Remotion handles the error
    }
    return answer;
  };
};

/** The frames of one job. Writes the next one to the file `path` when it is requested, and calls `onWritten`. */
export class Frames {
  #path;
  #onWritten;
  #drawn = 0;
  #isRequested = false;
  #isClosed = false;

  constructor(path, onWritten) {
    this.#path = path;
    this.#onWritten = onWritten;
  }

  request() {
    this.#isRequested = true;
  }

  add(data) {
    this.#drawn += 1;
    if (!this.#isRequested || this.#isClosed) {
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

  /** Remove the file, and write no further ones. */
  close() {
    this.#isClosed = true;
    rmSync(this.#path, { force: true });
  }
}
