// One render in the list. Its element stays the same for its whole life, so that focus and playback do too.

import { isUnfinished } from "./renders.js";
import { draw } from "./picture.js";
import * as words from "./words.js";

const FRESH_MS = 60_000; // a URL that works for less is replaced before it is given away

export class Card {
  element = make("li", "card");
  #actions;
  #render;
  #screen = make("div", "screen");
  #heading = make("h3");
  #facts = make("p", "facts");
  #badge = make("span", "badge");
  #state = make("span");
  #progress = make("progress");
  #count = make("p", "count");
  #notice = make("p", "notice");
  #buttons = make("div", "buttons");
  #play = make("button", "play");
  #poster;
  #video;

  /** `actions` has `cancel`, `retry`, `remove`, `refreshUrl` and `announce`; the first four return promises. */
  constructor(render, actions) {
    this.#actions = actions;
    this.#progress.max = 100;
    this.#play.type = "button";
    this.#play.append(make("span", "triangle"));
    this.#play.addEventListener("click", () => this.#open());
    const state = make("p", "state");
    state.append(this.#badge, " ", this.#state);
    const details = make("div", "details");
    this.#heading.tabIndex = -1;
    this.#heading.dir = "auto";
    details.append(this.#heading, this.#facts, state, this.#progress, this.#count, this.#notice, this.#buttons);
    const picture = make("div", "picture");
    picture.append(this.#screen, this.#play);
    this.element.append(picture, details);
    this.show(render);
  }

  get render() {
    return this.#render;
  }

  /** Draw what can only be drawn once the element is on the page. */
  drawPicture() {
    draw(this.#screen, this.#render.animationProps);
  }

  show(render) {
    const before = this.#render;
    this.#render = render;
    this.element.dataset.status = render.status;
    const { text, style, fontFamily, fontSize, durationInFrames, fps } = render.animationProps;
    setText(this.#heading, text);
    const facts = [words.style(style), words.seconds(durationInFrames / fps), `${fontFamily} ${fontSize}`];
    facts.push(words.time(render.createdAt));
    if (render.outputSizeBytes) facts.push(words.size(render.outputSizeBytes));
    if (render.costUsd !== null) facts.push(words.cost(render.costUsd));
    setText(this.#facts, facts.join(" · "));
    setText(this.#badge, words.status(render));
    this.#progress.hidden = !isUnfinished(render);
    this.#progress.value = render.progress;
    this.#progress.ariaLabel = `Progress of ${words.name(render)}`;
    this.#play.hidden = render.status !== "COMPLETE" || this.#video !== undefined;
    this.#play.ariaLabel = `Play ${words.name(render)}`;
    this.#showPoster();
    if (before?.status !== render.status) {
      this.#showButtons();
      this.#notify(render.error?.message ?? render.warnings.join(" "), render.error ? "bad" : "");
    }
    this.tick();
  }

  /** Say again what changes with time alone. */
  tick() {
    setText(this.#state, this.#stateInWords());
    setText(this.#count, this.#countInWords());
  }

  focus() {
    this.#heading.focus();
  }

  #stateInWords() {
    const { status, phase, queuePosition, cancelRequested } = this.#render;
    if (status === "QUEUED" && queuePosition !== null) {
      return queuePosition === 1 ? "Next in the queue" : `Number ${queuePosition} in the queue`;
    }
    if (status !== "RENDERING") return "";
    return cancelRequested ? "The renderer has been asked to stop" : words.phase(phase ?? "LAUNCHING");
  }

  #countInWords() {
    const { status, progress, framesRendered, totalFrames, estimatedCompletionAt } = this.#render;
    if (status !== "RENDERING") return "";
    const parts = [`${progress}%`, `${framesRendered} of ${totalFrames} frames`];
    if (estimatedCompletionAt) parts.push(`about ${words.timeUntil(estimatedCompletionAt)} left`);
    return parts.join(" · ");
  }

  /** Lay the poster over the drawing, which stays where there is none. It is kept, though each copy has another URL. */
  #showPoster() {
    if (!this.#render.posterUrl || this.#poster || this.#video) return;
    const poster = make("img", "poster");
    poster.alt = ""; // the heading says the same
    poster.width = 1280;
    poster.height = 720;
    poster.loading = "lazy";
    poster.decoding = "async";
    poster.addEventListener("error", () => poster.remove());
    poster.src = this.#render.posterUrl;
    this.#poster = poster;
    this.#screen.after(poster);
  }

  #showButtons() {
    const hadFocus = this.#buttons.contains(document.activeElement);
    const { status } = this.#render;
    if (isUnfinished(this.#render)) {
      this.#buttons.replaceChildren(this.#button("Cancel", () => this.#actions.cancel(this.#render)));
    } else if (status === "COMPLETE") {
      this.#buttons.replaceChildren(
        this.#download(),
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

  /** A button that says what it belongs to, shows the refusal if there is one, and can't be pressed twice at once. */
  #button(label, act) {
    const button = make("button", "quiet");
    button.type = "button";
    button.append(label, this.#belonging());
    button.addEventListener("click", async () => {
      if (button.ariaBusy === "true") return;
      button.ariaBusy = "true";
      await this.#attempt(act);
      button.ariaBusy = null;
    });
    return button;
  }

  #download() {
    const link = make("a", "button quiet");
    link.append("Download", this.#belonging());
    link.href = this.#render.outputUrl;
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
      link.href = this.#render.outputUrl;
      // Browsers only download from their own site; elsewhere the link would replace this page.
      if (new URL(link.href).origin !== location.origin) link.target = "_blank";
    });
    return link;
  }

  async #copyLink() {
    const url = await this.#freshUrl();
    const until = words.time(this.#render.outputUrlExpiresAt);
    try {
      await navigator.clipboard.writeText(url);
      this.#notify(`Link copied. It works until ${until}.`, "good", { aloud: true });
    } catch {
      // Only sites with HTTPS, and this machine's, may write to the clipboard.
      this.#notify(`Copy this link. It works until ${until}.`, "", { aloud: true });
      const field = make("input", "link");
      field.readOnly = true;
      field.value = url;
      field.ariaLabel = "Link";
      this.#notice.append(field);
      field.select();
    }
  }

  async #open() {
    await this.#attempt(async () => {
      const url = await this.#freshUrl();
      const video = make("video");
      video.controls = true;
      video.preload = "metadata";
      video.playsInline = true;
      video.ariaLabel = `Video ${words.name(this.#render)}`;
      video.addEventListener("error", () => this.#mend(video), { once: true });
      video.poster = this.#render.posterUrl ?? "";
      video.src = url;
      this.#video = video;
      this.#poster?.remove();
      this.#play.hidden = true;
      this.element.classList.add("open");
      this.#screen.replaceWith(video);
      video.focus();
      video.play().catch(() => {}); // not every browser lets it play by itself; it has its button
    });
  }

  /** The URL may have expired while the video was open. */
  async #mend(video) {
    await this.#attempt(async () => {
      await this.#actions.refreshUrl(this.#render);
      const { currentTime } = video;
      video.addEventListener("error", () => this.#notify("The video can't be played here. Download it instead.", "bad"));
      video.src = this.#render.outputUrl;
      video.currentTime = currentTime;
    });
  }

  #hasFreshUrl() {
    return Date.parse(this.#render.outputUrlExpiresAt) - Date.now() > FRESH_MS;
  }

  async #freshUrl() {
    if (!this.#hasFreshUrl()) await this.#actions.refreshUrl(this.#render);
    return this.#render.outputUrl;
  }

  async #attempt(act) {
    try {
      await act();
    } catch (problem) {
      this.#notify(problem.message, "bad", { aloud: true });
    }
  }

  #notify(text, kind, { aloud = false } = {}) {
    this.#notice.textContent = text;
    this.#notice.dataset.kind = kind;
    if (aloud) this.#actions.announce(text);
  }

  #belonging() {
    return Object.assign(make("span", "hidden"), { textContent: ` ${words.name(this.#render)}` });
  }
}

function make(tag, className = "") {
  return Object.assign(document.createElement(tag), { className });
}

/** Leave what is the same alone: a selection in it stays. */
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
