// One render in the list. Its element is never replaced, so focus and playback survive updates.

import { create, setText } from "./dom.js";
import * as format from "./format.js";
import { draw } from "./preview.js";
import { isUnfinished } from "./render-store.js";

/** @import { Render, RenderActions } from "../types.d.ts" */

const MIN_URL_LIFETIME_MS = 60_000; // a URL that expires sooner is replaced before it is used

export class RenderCard {
  element = create("li", "card");
  #actions;
  #render;
  #preview = create("div", "preview");
  #heading = create("h3");
  #facts = create("p", "facts");
  #badge = create("span", "badge");
  #state = create("span");
  #progress = create("progress");
  #count = create("p", "count");
  #notice = create("p", "notice");
  #buttons = create("div", "buttons");
  #play = create("button", "play");
  /** @type {HTMLImageElement | undefined} */
  #poster;
  /** @type {HTMLVideoElement | undefined} */
  #video;

  /**
   * @param {Render} render
   * @param {RenderActions} actions
   */
  constructor(render, actions) {
    this.#render = render;
    this.#actions = actions;
    this.#progress.max = 100;
    this.#play.type = "button";
    this.#play.append(create("span", "play-icon"));
    this.#play.addEventListener("click", () => this.#openVideo());
    const state = create("p", "state");
    state.append(this.#badge, " ", this.#state);
    const details = create("div", "details");
    this.#heading.tabIndex = -1;
    this.#heading.dir = "auto";
    details.append(this.#heading, this.#facts, state, this.#progress, this.#count, this.#notice, this.#buttons);
    const thumbnail = create("div", "thumbnail");
    thumbnail.append(this.#preview, this.#play);
    this.element.append(thumbnail, details);
    this.#showStatus();
    this.#showDetails();
  }

  get render() {
    return this.#render;
  }

  /** Draw the preview, which needs the element's size: call this when the element is on the page. */
  drawPreview() {
    draw(this.#preview, this.#render.animationProps);
  }

  /**
   * Show a newer copy of the render.
   * @param {Render} render
   */
  show(render) {
    const before = this.#render;
    this.#render = render;
    if (before.status !== render.status) this.#showStatus();
    this.#showDetails();
  }

  /** Update the texts that depend on the time. */
  tick() {
    setText(this.#state, this.#stateText());
    setText(this.#count, this.#countText());
  }

  focus() {
    this.#heading.focus();
  }

  /** Show the parts that change only with the status. */
  #showStatus() {
    const { status, error, warnings } = this.#render;
    this.element.dataset.status = status;
    this.#showButtons();
    this.#notify(error?.message ?? warnings.join(" "), error ? "error" : "");
  }

  #showDetails() {
    const render = this.#render;
    setText(this.#heading, render.animationProps.text);
    setText(this.#facts, this.#factsText());
    setText(this.#badge, format.status(render));
    this.#progress.hidden = !isUnfinished(render);
    this.#progress.value = render.progress;
    this.#progress.ariaLabel = `Progress of ${format.name(render)}`;
    this.#play.hidden = render.status !== "COMPLETE" || this.#video !== undefined;
    this.#play.ariaLabel = `Play ${format.name(render)}`;
    this.#showPoster();
    this.tick();
  }

  #factsText() {
    const { animationProps, createdAt, outputSizeBytes, costUsd } = this.#render;
    const { style, fontFamily, fontSize, durationInFrames, fps } = animationProps;
    const facts = [format.style(style), format.seconds(durationInFrames / fps), `${fontFamily} ${fontSize}`];
    facts.push(format.time(createdAt));
    if (outputSizeBytes) facts.push(format.size(outputSizeBytes));
    if (costUsd !== null) facts.push(format.cost(costUsd));
    return facts.join(" · ");
  }

  #stateText() {
    const { status, phase, queuePosition, cancelRequested } = this.#render;
    if (status === "QUEUED" && queuePosition !== null) {
      return queuePosition === 1 ? "Next in the queue" : `Number ${queuePosition} in the queue`;
    }
    if (status !== "RENDERING") return "";
    return cancelRequested ? "Stopping the renderer" : format.phase(phase ?? "LAUNCHING");
  }

  #countText() {
    const { status, progress, framesRendered, totalFrames, estimatedCompletionAt } = this.#render;
    if (status !== "RENDERING") return "";
    const parts = [`${progress}%`, `${framesRendered} of ${totalFrames} frames`];
    if (estimatedCompletionAt) parts.push(`about ${format.timeUntil(estimatedCompletionAt)} left`);
    return parts.join(" · ");
  }

  /** Show the poster above the preview. Its URL differs in each copy of the render; the first one is kept. */
  #showPoster() {
    if (!this.#render.posterUrl || this.#poster || this.#video) return;
    const poster = create("img", "poster");
    poster.alt = ""; // the heading has the same text
    poster.width = 1280;
    poster.height = 720;
    poster.loading = "lazy";
    poster.decoding = "async";
    poster.addEventListener("error", () => poster.remove()); // the preview is visible again
    poster.src = this.#render.posterUrl;
    this.#poster = poster;
    this.#preview.after(poster);
  }

  #showButtons() {
    const hadFocus = this.#buttons.contains(document.activeElement);
    const { status } = this.#render;
    if (isUnfinished(this.#render)) {
      this.#buttons.replaceChildren(this.#button("Cancel", () => this.#actions.cancel(this.#render)));
    } else if (status === "COMPLETE") {
      this.#buttons.replaceChildren(
        this.#downloadLink(),
        this.#button("Copy link", () => this.#copyLink()),
        this.#button("Delete", () => this.#actions.remove(this.#render)),
      );
    } else {
      this.#buttons.replaceChildren(
        this.#button("Retry", () => this.#actions.retry(this.#render)),
        this.#button("Delete", () => this.#actions.remove(this.#render)),
      );
    }
    if (hadFocus) this.focus();
  }

  /**
   * Return a button that shows the error of its action and ignores clicks while the action runs.
   * @param {string} label
   * @param {() => Promise<void>} action
   */
  #button(label, action) {
    const button = create("button", "secondary");
    button.type = "button";
    button.append(label, this.#hiddenName());
    button.addEventListener("click", async () => {
      if (button.ariaBusy === "true") return;
      button.ariaBusy = "true";
      await this.#attempt(action);
      button.ariaBusy = null;
    });
    return button;
  }

  #downloadLink() {
    const link = create("a", "button secondary");
    link.append("Download", this.#hiddenName());
    link.href = this.#render.outputUrl ?? "";
    link.download = "";
    link.addEventListener("click", (event) => {
      if (!this.#hasFreshUrl()) {
        event.preventDefault();
        this.#attempt(async () => {
          link.href = await this.#freshUrl();
          link.click();
        });
        return;
      }
      link.href = this.#render.outputUrl ?? "";
      // Browsers ignore `download` for other origins; there the link would replace this page.
      if (new URL(link.href).origin !== location.origin) link.target = "_blank";
    });
    return link;
  }

  async #copyLink() {
    const url = await this.#freshUrl();
    const expiry = format.time(this.#render.outputUrlExpiresAt ?? "");
    try {
      await navigator.clipboard.writeText(url);
      this.#notify(`Link copied. It expires at ${expiry}.`, "success", { announced: true });
    } catch {
      // Browsers allow writing to the clipboard only with HTTPS or on localhost.
      this.#notify(`Copy this link. It expires at ${expiry}.`, "", { announced: true });
      const field = create("input", "link");
      field.readOnly = true;
      field.value = url;
      field.ariaLabel = "Link";
      this.#notice.append(field);
      field.select();
    }
  }

  async #openVideo() {
    await this.#attempt(async () => {
      const url = await this.#freshUrl();
      const video = create("video");
      video.controls = true;
      video.preload = "metadata";
      video.playsInline = true;
      video.ariaLabel = `Video ${format.name(this.#render)}`;
      video.addEventListener("error", () => this.#reload(video), { once: true });
      video.poster = this.#render.posterUrl ?? "";
      video.src = url;
      this.#video = video;
      this.#poster?.remove();
      this.#play.hidden = true;
      this.element.classList.add("open");
      this.#preview.replaceWith(video);
      video.focus();
      video.play().catch(() => {}); // some browsers block autoplay; the controls have a play button
    });
  }

  /**
   * Load the video again with a new URL: the old one may have expired while the video was open.
   * @param {HTMLVideoElement} video
   */
  async #reload(video) {
    await this.#attempt(async () => {
      await this.#actions.refreshUrl(this.#render);
      const { currentTime } = video;
      video.addEventListener("error", () => this.#notify("The video can't be played here. Download it instead.", "error"));
      video.src = this.#render.outputUrl ?? "";
      video.currentTime = currentTime;
    });
  }

  #hasFreshUrl() {
    return Date.parse(this.#render.outputUrlExpiresAt ?? "") - Date.now() > MIN_URL_LIFETIME_MS;
  }

  async #freshUrl() {
    if (!this.#hasFreshUrl()) await this.#actions.refreshUrl(this.#render);
    return this.#render.outputUrl ?? "";
  }

  /** @param {() => Promise<void>} action */
  async #attempt(action) {
    try {
      await action();
    } catch (error) {
      this.#notify(/** @type {Error} */ (error).message, "error", { announced: true });
    }
  }

  /**
   * @param {string} text
   * @param {"error" | "success" | ""} kind
   */
  #notify(text, kind, { announced = false } = {}) {
    this.#notice.textContent = text;
    this.#notice.dataset.kind = kind;
    if (announced) this.#actions.announce(text);
  }

  /** Return the render's name for screen readers: it distinguishes equal buttons of several cards. */
  #hiddenName() {
    const element = create("span", "visually-hidden");
    element.textContent = ` ${format.name(this.#render)}`;
    return element;
  }
}
