// One render in the list. Its element is never replaced, so focus and playback survive updates.

import { CardMedia } from "./card-media.js";
import { create, setText } from "../dom.js";
import * as format from "../format.js";
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
  #state = create("span");
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
      onError: (message) => this.#notify(message, "error", { announced: true }),
      onOpen: () => this.element.classList.add("open"),
    });
    const state = create("p", "state");
    state.append(this.#badge, " ", this.#state);
    const details = create("div", "details");
    this.#heading.tabIndex = -1;
    this.#heading.dir = "auto";
    details.append(this.#heading, this.#facts, state, this.#progress, this.#count, this.#notice, this.#buttons);
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
    this.#showButtons();
    const hints = status === "COMPLETE" && output.format !== "PDF" && !canPlay(output) ? [...warnings, NOT_PLAYABLE] : warnings;
    this.#notify(error?.message ?? hints.join(" "), error ? "error" : "");
  }

  #showDetails() {
    const render = this.#render;
    setText(this.#heading, format.title(render));
    for (const name of this.#buttons.querySelectorAll(".visually-hidden")) setText(name, ` ${format.name(render)}`);
    setText(this.#facts, this.#factsText());
    setText(this.#badge, format.status(render));
    this.#progress.hidden = !isUnfinished(render);
    this.#progress.value = render.progress;
    this.#progress.ariaLabel = `Progress of ${format.name(render)}`;
    this.#media.show(render);
    this.tick();
  }

  #factsText() {
    const { output, createdAt, outputSizeBytes, costUsd } = this.#render;
    const facts = [...this.#contentFacts(), format.output(output)];
    if (output.transparent) facts.push("transparent");
    facts.push(format.time(createdAt));
    if (outputSizeBytes) facts.push(format.size(outputSizeBytes));
    if (costUsd !== null) facts.push(format.cost(costUsd));
    return facts.join(" · ");
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
    const { status } = this.#render;
    if (isUnfinished(this.#render)) {
      this.#buttons.replaceChildren(this.#button("Cancel", () => this.#actions.cancel(this.#render)));
    } else if (status === "COMPLETE") {
      this.#buttons.replaceChildren(
        ...this.#links(),
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
   * Return a link to a URL of the render. An expired URL is replaced first.
   * @param {string} label
   * @param {(render: Render) => string | null} urlOf
   */
  #link(label, urlOf) {
    const link = create("a", "button secondary");
    link.append(label, this.#hiddenName());
    link.href = urlOf(this.#render) ?? "";
    link.addEventListener("click", (event) => {
      if (!this.#hasFreshUrl()) {
        event.preventDefault();
        this.#attempt(async () => {
          await this.#refreshUrl();
          link.click();
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
