// The picture of a render: a drawing, the newest frame, then the poster or still, and the output itself when it is opened.

import { create } from "../dom.js";
import * as format from "../format.js";
import { canPlay } from "../output-formats.js";
import { draw, setShape } from "../preview.js";
import { LivePreview } from "./live-preview.js";

/** @import { Render } from "../../types.d.ts" */

const CAN_BE_TRANSPARENT = new Set(["GIF", "PNG", "WEBP"]);

export class CardMedia {
  element = create("div", "thumbnail");
  /** Below the picture. It has room for one line. */
  caption = create("div", "caption");
  #box = create("div", "preview-box");
  #preview = create("div", "preview");
  #open = create("button", "play");
  #live = new LivePreview((image) => this.#box.append(image));
  #render;
  #options;
  /** @type {HTMLImageElement | undefined} */
  #poster;
  /** @type {HTMLVideoElement | HTMLAudioElement | HTMLImageElement | undefined} */
  #media;

  /**
   * `freshUrl` returns a URL that is valid for some time, `refreshUrl` a new one. `attempt` shows the errors of an
   * action, `onOpen` is called when the output is shown in full size.
   * @param {Render} render
   * @param {object} options
   * @param {() => Promise<string>} options.freshUrl
   * @param {() => Promise<string>} options.refreshUrl
   * @param {(action: () => Promise<void>) => Promise<void>} options.attempt
   * @param {(message: string) => void} options.onError
   * @param {() => void} options.onOpen
   */
  constructor(render, options) {
    this.#render = render;
    this.#options = options;
    this.#open.type = "button";
    this.#open.append(Object.assign(create("span", "play-label"), { textContent: this.#verb }));
    this.#open.classList.toggle("still", this.#isStill);
    this.#open.addEventListener("click", () => options.attempt(() => this.#openMedia()));
    this.#box.append(this.#preview);
    this.element.append(this.#box, this.caption, this.#open);
    this.show(render);
  }

  /** Draw the preview, which needs the element's size: call this when the element is on the page. */
  draw() {
    const { animationProps, compositionId, output } = this.#render;
    this.#setShape();
    if (animationProps) {
      draw(this.#preview, animationProps);
      return;
    }
    this.#preview.classList.add("placeholder");
    const label = create("span");
    label.textContent = `${compositionId}\n${format.output({ ...output, width: null })}`;
    label.ariaHidden = "true"; // the heading and the facts have the same text
    this.#preview.replaceChildren(label);
  }

  /**
   * Show a newer copy of the render.
   * @param {Render} render
   */
  show(render) {
    this.#render = render;
    const isDone = render.status === "COMPLETE";
    this.#open.hidden = !isDone || this.#media !== undefined || !canPlay(render.output);
    this.#open.ariaLabel = `${this.#verb} ${format.name(render)}`;
    this.#setShape();
    this.#showLivePreview();
    this.#showPoster();
  }

  get #isStill() {
    return this.#render.output.kind === "STILL";
  }

  get #verb() {
    return this.#isStill ? "Enlarge" : "Play";
  }

  #setShape() {
    const { width, height, scale } = this.#render.output;
    const factor = scale ?? 1; // the sizes of the text are those without it
    if (width && height) setShape(this.#preview, { width: width / factor, height: height / factor });
  }

  /** Show the newest frame above the preview. The last one stays until the poster is loaded. */
  #showLivePreview() {
    const { previewUrl, posterUrl } = this.#render;
    if (previewUrl) void this.#live.show(previewUrl, `Newest frame of ${format.name(this.#render)}`);
    else if (posterUrl) this.#live.stop();
    else this.#live.clear();
  }

  /** Show the poster, or the still itself, above the preview. URLs differ in each copy; the first one is kept. */
  #showPoster() {
    const { status, output, outputUrl, posterUrl } = this.#render;
    const url = this.#isStill && status === "COMPLETE" && canPlay(output) ? outputUrl : posterUrl;
    if (!url || this.#poster || this.#media) return;
    const poster = create("img", "poster");
    poster.alt = ""; // the heading has the same text
    poster.width = output.width ?? 1280;
    poster.height = output.height ?? 720;
    poster.loading = "lazy";
    poster.decoding = "async";
    poster.addEventListener("load", () => this.#live.clear());
    poster.addEventListener("error", () => {
      poster.remove(); // the preview is visible again
      this.#live.clear();
    });
    poster.classList.toggle("checkered", CAN_BE_TRANSPARENT.has(output.format) && this.#isStill);
    poster.src = url;
    this.#poster = poster;
    this.#preview.after(poster);
  }

  async #openMedia() {
    const url = await this.#options.freshUrl();
    const media = this.#createMedia();
    media.addEventListener("error", () => this.#reload(media), { once: true });
    media.src = url;
    this.#media = media;
    this.#poster?.remove();
    this.#live.clear();
    this.#open.hidden = true;
    this.#options.onOpen();
    this.#preview.replaceWith(media);
    media.focus();
    if (media instanceof HTMLMediaElement) media.play().catch(() => {}); // the controls have a play button
  }

  #createMedia() {
    const { kind, width, height, transparent, format: name } = this.#render.output;
    const media = kind === "VIDEO" || kind === "AUDIO" ? this.#createPlayer() : this.#createImage();
    if (kind === "AUDIO") return media;
    media.classList.toggle("checkered", transparent || CAN_BE_TRANSPARENT.has(name));
    if (width && height) media.style.aspectRatio = `${width} / ${height}`;
    return media;
  }

  #createPlayer() {
    const isVideo = this.#render.output.kind === "VIDEO";
    const player = create(isVideo ? "video" : "audio", "media");
    player.controls = true;
    player.preload = "metadata";
    player.ariaLabel = `${isVideo ? "Video" : "Audio"} ${format.name(this.#render)}`;
    if (player instanceof HTMLVideoElement) {
      player.playsInline = true;
      player.poster = this.#render.posterUrl ?? "";
      player.style.backgroundColor = this.#render.animationProps?.backgroundColor ?? ""; // until the poster is loaded
    }
    return player;
  }

  #createImage() {
    const image = create("img", "media");
    image.alt = `${this.#isStill ? "Still" : "Animated image"} ${format.name(this.#render)}`;
    image.tabIndex = -1;
    return image;
  }

  /**
   * Load the output again with a new URL: the old one may have expired while it was open.
   * @param {HTMLVideoElement | HTMLAudioElement | HTMLImageElement} media
   */
  async #reload(media) {
    const fail = () => this.#options.onError("The output can't be shown here. Download it instead.");
    await this.#options.attempt(async () => {
      const url = await this.#options.refreshUrl();
      const position = media instanceof HTMLMediaElement ? media.currentTime : 0;
      media.addEventListener("error", fail);
      media.src = url;
      if (media instanceof HTMLMediaElement) media.currentTime = position;
    });
  }
}
