// The newest frame of a running render. Its URL differs for each preview.

import { create } from "../dom.js";

const REDUCED_INTERVAL_MS = 10_000; // between two pictures for users who prefer reduced motion
const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");

export class LivePreview {
  #place;
  #url = "";
  #shownAt = -Infinity;
  /** @type {HTMLImageElement | undefined} */
  #image;
  /** @type {HTMLImageElement | undefined} */
  #loading;

  /**
   * `place` puts the first picture on the page. Further ones replace it.
   * @param {(image: HTMLImageElement) => void} place
   */
  constructor(place) {
    this.#place = place;
  }

  /**
   * Show the picture at this URL as soon as it is decoded, so that the one before it stays visible until then.
   * @param {string} url
   * @param {string} alt
   */
  async show(url, alt) {
    const isEarly = reducedMotion.matches && performance.now() - this.#shownAt < REDUCED_INTERVAL_MS;
    if (url === this.#url || this.#loading || isEarly) return;
    const image = create("img", "poster live-preview");
    image.alt = alt;
    image.src = url;
    this.#url = url;
    this.#loading = image;
    const isDecoded = await image.decode().then(
      () => true,
      () => false, // the render has just ended, or the server can't be reached
    );
    if (this.#loading !== image) return;
    this.#loading = undefined;
    if (isDecoded) this.#swap(image);
  }

  /** Show no picture that is still being loaded. */
  stop() {
    this.#loading = undefined;
  }

  /** Remove the picture. */
  clear() {
    this.stop();
    this.#image?.remove();
    this.#image = undefined;
    this.#url = "";
  }

  /** @param {HTMLImageElement} image */
  #swap(image) {
    if (this.#image) this.#image.replaceWith(image);
    else this.#place(image);
    this.#image = image;
    this.#shownAt = performance.now();
  }
}
