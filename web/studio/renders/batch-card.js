// The renders of a batch as one card. Their own cards are made while it is open.

import { create, setText } from "../dom.js";
import * as format from "../format.js";
import { drawWhenNear } from "./lazy-drawing.js";
import { RenderCard } from "./render-card.js";

/** @import { BatchProgress, Render, RenderActions } from "../../types.d.ts" */

const MAX_SHOWN = 50; // cards while it is open, of the newest renders

export class BatchCard {
  element = create("li", "card batch");
  #batchId;
  #actions;
  #isShown;
  #heading = create("h3");
  #facts = create("p", "facts");
  #badge = create("span", "badge");
  #progress = create("progress");
  #count = create("p", "count");
  #notice = create("p", "notice");
  #toggle = create("button", "secondary");
  #cancel = create("button", "secondary");
  #list = create("ul", "renders");
  /** @type {Map<string, Render>} */
  #renders = new Map();
  /** @type {string[]} */
  #ids = []; // newest first: ids sort by time
  /** @type {Map<string, RenderCard>} */
  #cards = new Map();
  /** @type {BatchProgress | undefined} */
  #state;
  #isStale = true;

  /**
   * `isShown` returns whether a render is in the list as it is filtered.
   * @param {string} batchId
   * @param {RenderActions} actions
   * @param {(render: Render) => boolean} isShown
   */
  constructor(batchId, actions, isShown) {
    this.#batchId = batchId;
    this.#actions = actions;
    this.#isShown = isShown;
    this.#heading.tabIndex = -1;
    this.#heading.dir = "auto";
    this.#heading.textContent = batchId;
    this.#progress.max = 100;
    this.#progress.ariaLabel = `Progress of the batch ${batchId}`;
    this.#list.ariaLabel = `Renders of the batch ${batchId}`;
    this.#list.hidden = true;
    this.#setUpButtons();
    const state = create("p", "state");
    state.append(this.#badge);
    const buttons = create("div", "buttons");
    buttons.append(this.#toggle, this.#cancel);
    const details = create("div", "details");
    details.append(this.#heading, this.#facts, state, this.#progress, this.#count, this.#notice, buttons);
    this.element.append(details, this.#list);
    this.#showState();
  }

  /** Return whether the progress must be read, and assume that it will be. */
  takeStale() {
    const isStale = this.#isStale;
    this.#isStale = false;
    return isStale;
  }

  /** Read the progress again, since changes may have been missed. */
  markStale() {
    this.#isStale = true;
  }

  /**
   * Show a new or changed render.
   * @param {Render} render
   */
  show(render) {
    const isNew = !this.#renders.has(render.id);
    this.#renders.set(render.id, render);
    this.#isStale = true;
    if (isNew) {
      const next = this.#ids.findIndex((id) => id < render.id); // usually the first
      this.#ids.splice(next < 0 ? this.#ids.length : next, 0, render.id);
      this.#showCards();
    } else this.#cards.get(render.id)?.show(render);
  }

  /**
   * Remove a render; return whether others are left.
   * @param {string} id
   */
  remove(id) {
    const hadFocus = this.#cards.get(id)?.element.contains(document.activeElement);
    this.#renders.delete(id);
    this.#ids = this.#ids.filter((each) => each !== id);
    this.#isStale = true;
    this.#showCards();
    if (hadFocus) this.focus();
    return this.#ids.length > 0;
  }

  /** Show the renders that the filter admits, and return their number. */
  filter() {
    if (!this.#list.hidden) this.#showCards();
    return this.#shownIds.length;
  }

  get #shownIds() {
    return this.#ids.filter((id) => this.#isShown(/** @type {Render} */ (this.#renders.get(id))));
  }

  /** @param {BatchProgress} progress */
  showProgress(progress) {
    this.#state = progress;
    this.#showState();
  }

  /** Nothing to draw: only the cards of renders have previews. */
  drawPreview() {}

  /** Update the texts that depend on the time. */
  tick() {
    setText(this.#count, this.#countText());
    for (const card of this.#cards.values()) card.tick();
  }

  focus() {
    this.#heading.focus();
  }

  #setUpButtons() {
    const name = () => Object.assign(create("span", "visually-hidden"), { textContent: ` of the batch ${this.#batchId}` });
    const label = create("span");
    this.#toggle.type = this.#cancel.type = "button";
    this.#toggle.append(label, name());
    this.#cancel.append("Cancel all", name());
    const showLabel = () => {
      label.textContent = this.#list.hidden ? "Show renders" : "Hide renders";
      this.#toggle.ariaExpanded = String(!this.#list.hidden);
    };
    showLabel();
    this.#toggle.addEventListener("click", () => {
      this.#list.hidden = !this.#list.hidden;
      showLabel();
      this.#showCards();
    });
    this.#cancel.addEventListener("click", () => this.#cancelAll());
  }

  async #cancelAll() {
    if (this.#cancel.ariaBusy === "true") return;
    this.#cancel.ariaBusy = "true";
    try {
      await this.#actions.cancelBatch(this.#batchId);
    } catch (error) {
      const { message } = /** @type {Error} */ (error);
      this.#notify(message, "error");
      this.#actions.announce(message);
    }
    this.#cancel.ariaBusy = null;
    this.#isStale = true;
  }

  /** Show the cards of the newest renders while it is open. */
  #showCards() {
    const shown = this.#list.hidden ? [] : this.#shownIds.slice(0, MAX_SHOWN);
    for (const [id, card] of this.#cards) {
      if (shown.includes(id)) continue;
      card.element.remove();
      this.#cards.delete(id);
    }
    shown.forEach((id, place) => {
      const render = this.#renders.get(id);
      if (this.#cards.has(id) || !render) return;
      const card = new RenderCard(render, this.#actions);
      this.#cards.set(id, card);
      this.#list.insertBefore(card.element, this.#list.children[place] ?? null);
      drawWhenNear(card.element, () => card.drawPreview());
      this.#actions.readTitle(render);
    });
    this.#showFacts();
  }

  #showState() {
    const state = this.#state;
    const status = !state?.hasEnded ? "RENDERING" : state.failed ? "FAILED" : state.complete ? "COMPLETE" : "CANCELLED";
    this.element.dataset.status = status;
    setText(this.#badge, format.statusName(status));
    this.#progress.hidden = this.#cancel.hidden = state?.hasEnded ?? false;
    this.#progress.value = state?.percent ?? 0;
    const [first] = state?.failures ?? [];
    if (state && first) this.#notify(`${state.failed} failed. The first: ${first.error?.message ?? ""}`, "error");
    this.#showFacts();
    this.tick();
  }

  #showFacts() {
    const total = this.#state?.total ?? this.#ids.length;
    const facts = ["Batch", format.count(total, "render", "renders")];
    if (!this.#list.hidden && total > this.#cards.size) facts.push(`${this.#cards.size} of them are shown`);
    setText(this.#facts, facts.join(" · "));
  }

  #countText() {
    if (!this.#state) return "";
    const { total, complete, failed, cancelled, estimatedCompletionAt, hasEnded } = this.#state;
    const parts = [`${complete} of ${total} done`];
    if (failed) parts.push(`${failed} failed`);
    if (cancelled) parts.push(`${cancelled} cancelled`);
    if (estimatedCompletionAt && !hasEnded) parts.push(`about ${format.timeUntil(estimatedCompletionAt)} left`);
    return parts.join(" · ");
  }

  /**
   * @param {string} text
   * @param {"error" | ""} kind
   */
  #notify(text, kind) {
    setText(this.#notice, text);
    this.#notice.dataset.kind = kind;
  }
}
