// One render in the list. Its element is never replaced, so focus and playback survive updates.

import { CardMedia } from "./card-media.js";
import { copyLink } from "../clipboard.js";
import { create, setText, showNotice } from "../dom.js";
import * as format from "../format.js";
import { Menu } from "../menu.js";
import { canPlay } from "../output-formats.js";
import { isUnfinished } from "./render-store.js";

/** @import { Render, RenderActions } from "../../types.d.ts" */

const MIN_URL_LIFETIME_MS = 60_000; // a URL that expires sooner is replaced before it is used
const NOT_PLAYABLE = "This page can't show this format. Download the file to open it.";

export class RenderCard {
  element = create("li", "card");
  #actions;
  #render;
  #heading = create("h3");
  #facts = create("p", "facts");
  #badge = create("span", "badge");
  #state = create("span", "state-text");
  #meta = create("span", "meta");
  #progress = create("progress");
  #count = create("p", "count");
  #notice = create("p", "notice");
  #buttons = create("div", "buttons");
  #media;

  /**
   * @param {Render} render
   * @param {RenderActions} actions
   */
  constructor(render, actions) {
    this.#render = render;
    this.#actions = actions;
    this.#progress.max = 100;
    this.#media = new CardMedia(render, {
      freshUrl: () => this.#freshUrl(),
      refreshUrl: () => this.#refreshUrl(),
      attempt: (action) => this.#attempt(action),
      onError: (message) => this.#showError(message),
      onOpen: () => this.element.classList.add("open"),
    });
    const state = create("p", "state");
    state.append(this.#badge, " ", this.#state, " ", this.#meta);
    const news = create("div", "news"); // has room for one line in every state
    news.append(this.#count, this.#notice);
    const details = create("div", "details");
    this.#heading.tabIndex = -1;
    this.#heading.dir = "auto";
    this.#media.caption.append(this.#progress);
    details.append(this.#heading, this.#facts, state, news, this.#buttons);
    this.element.append(this.#media.element, details);
    this.#showStatus();
    this.#showDetails();
  }

  get render() {
    return this.#render;
  }

  /** Draw the preview, which needs the element's size: call this when the element is on the page. */
  drawPreview() {
    this.#media.draw();
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
    const { status, error, warnings, output } = this.#render;
    this.element.dataset.status = status;
    if (!isUnfinished(this.#render) || !this.#buttons.hasChildNodes()) this.#showButtons();
    const known = isUnfinished(this.#render) ? [] : warnings; // later, in the place of the progress
    const hints = status === "COMPLETE" && output.format !== "PDF" && !canPlay(output) ? [...known, NOT_PLAYABLE] : known;
    showNotice(this.#notice, error?.message ?? hints.join(" "), error ? "error" : "");
  }

  #showDetails() {
    const render = this.#render;
    setText(this.#heading, format.title(render));
    for (const name of this.#buttons.querySelectorAll(".visually-hidden")) setText(name, ` ${format.name(render)}`);
    setText(this.#facts, this.#factsText());
    setText(this.#meta, this.#metaText());
    setText(this.#badge, format.status(render));
    this.#progress.hidden = !isUnfinished(render);
    this.#progress.value = render.progress;
    this.#progress.ariaLabel = `Progress of ${format.name(render)}`;
    this.#media.show(render);
    this.tick();
  }

  #factsText() {
    const { output } = this.#render;
    return [...this.#contentFacts(), format.output(output), ...(output.transparent ? ["transparent"] : [])].join(" · ");
  }

  #metaText() {
    const { createdAt, outputSizeBytes, costUsd } = this.#render;
    const size = outputSizeBytes ? [format.size(outputSizeBytes)] : [];
    const cost = costUsd ? [format.cost(costUsd)] : []; // 0 on own machines without a price
    return [...size, ...cost, format.time(createdAt)].join(" · ");
  }

  #contentFacts() {
    const { animationProps, output, totalFrames } = this.#render;
    if (animationProps) {
      const { style, fontFamily, fontSize, durationInFrames, fps } = animationProps;
      return [format.style(style), format.seconds(durationInFrames / fps), `${fontFamily} ${fontSize}`];
    }
    return output.kind === "STILL" || !output.fps || !totalFrames ? [] : [format.seconds(totalFrames / output.fps)];
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
    const parts = [`${progress}%`];
    if (totalFrames) parts.push(`${framesRendered} of ${format.count(totalFrames, "frame", "frames")}`);
    if (estimatedCompletionAt) parts.push(`about ${format.timeUntil(estimatedCompletionAt)} left`);
    return parts.join(" · ");
  }

  #showButtons() {
    const hadFocus = this.#buttons.contains(document.activeElement);
    this.#buttons.replaceChildren(...this.#actionButtons());
    if (hadFocus) this.focus();
  }

  /** Return the buttons for the status: of all statuses as many, so that the card does not change its height. */
  #actionButtons() {
    const use = this.#button("Use these settings", () => this.#actions.useSettings(this.#render));
    const share = this.#button("Share", () => this.#actions.share(this.#render));
    const remove = this.#button("Delete", () => this.#actions.remove(this.#render));
    if (isUnfinished(this.#render)) {
      return [this.#button("Cancel", () => this.#actions.cancel(this.#render)), use, this.#menu(share)];
    }
    if (this.#render.status !== "COMPLETE") {
      return [this.#button("Retry", () => this.#actions.retry(this.#render)), use, this.#menu(remove)];
    }
    return [...this.#links(), use, this.#menu(this.#button("Copy link", () => this.#copyLink()), share, remove)];
  }

  /** @param {HTMLElement[]} items */
  #menu(...items) {
    const more = new Menu("More", format.name(this.#render));
    more.setItems(...items);
    return more.element;
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

  #links() {
    const { output: { format: name } } = this.#render;
    const download = this.#link("Download", ({ downloadUrl }) => downloadUrl);
    download.download = "";
    if (name !== "PDF") return [download];
    const open = this.#link("Open", ({ outputUrl }) => outputUrl);
    open.target = "_blank";
    return [download, open];
  }

  /**
   * Return a link to a URL of the render. An expired URL is replaced first, once for each click.
   * @param {string} label
   * @param {(render: Render) => string | null} urlOf
   */
  #link(label, urlOf) {
    const link = create("a", "button secondary");
    link.append(label, this.#hiddenName());
    link.href = urlOf(this.#render) ?? "";
    let isRefreshed = false;
    link.addEventListener("click", (event) => {
      if (!isRefreshed && !this.#hasFreshUrl()) {
        event.preventDefault();
        this.#attempt(async () => {
          await this.#refreshUrl();
          isRefreshed = true; // also if its lifetime is short, or this device's clock is wrong
          link.click();
          isRefreshed = false;
        });
        return;
      }
      link.href = urlOf(this.#render) ?? "";
      // Browsers ignore `download` for other origins; there the link would replace this page.
      if (new URL(link.href).origin !== location.origin) link.target = "_blank";
    });
    return link;
  }

  async #copyLink() {
    const url = await this.#freshUrl();
    this.#actions.announce(await copyLink(url, this.#render.outputUrlExpiresAt ?? "", this.#notice));
  }

  #hasFreshUrl() {
    return Date.parse(this.#render.outputUrlExpiresAt ?? "") - Date.now() > MIN_URL_LIFETIME_MS;
  }

  async #freshUrl() {
    return this.#hasFreshUrl() ? this.#render.outputUrl ?? "" : this.#refreshUrl();
  }

  async #refreshUrl() {
    await this.#actions.refreshUrl(this.#render);
    return this.#render.outputUrl ?? "";
  }

  /** @param {() => Promise<void>} action */
  async #attempt(action) {
    try {
      await action();
    } catch (error) {
      this.#showError(/** @type {Error} */ (error).message);
    }
  }

  /** @param {string} message */
  #showError(message) {
    showNotice(this.#notice, message, "error");
    this.#actions.announce(message);
  }

  /** Return the render's name for screen readers: it distinguishes equal buttons of several cards. */
  #hiddenName() {
    const element = create("span", "visually-hidden");
    element.textContent = ` ${format.name(this.#render)}`;
    return element;
  }
}
