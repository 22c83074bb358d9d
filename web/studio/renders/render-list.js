// The list of renders, newest first. The renders of a batch are one card, at the place of the first that was known.

import { BatchCard } from "./batch-card.js";
import { drawWhenNear } from "./lazy-drawing.js";
import { RenderCard } from "./render-card.js";

/** @import { RenderStore } from "./render-store.js" */
/** @import { BatchProgress, Render, RenderActions } from "../../types.d.ts" */

export class RenderList {
  #element;
  #actions;
  #isShown;
  /** @type {Map<string, RenderCard | BatchCard>} */
  #cards = new Map(); // by id of a render
  /** @type {Map<string, BatchCard>} */
  #batches = new Map();

  /**
   * `isShown` returns whether a render is in the list as it is filtered.
   * @param {HTMLElement} element
   * @param {RenderActions} actions
   * @param {(render: Render) => boolean} isShown
   */
  constructor(element, actions, isShown) {
    this.#element = element;
    this.#actions = actions;
    this.#isShown = isShown;
  }

  /** The visible cards, of which a batch has one. */
  get visibleCards() {
    return [...new Set(this.#cards.values())].filter(({ element }) => !element.hidden);
  }

  /**
   * Show a new or changed render. Its place is the one it has in `store`.
   * @param {Render} render
   * @param {RenderStore} store
   */
  show(render, store) {
    const known = this.#cards.get(render.id);
    if (known) known.show(render);
    else if (render.batchId === null) this.#insert(new RenderCard(render, this.#actions), render.id, store);
    else this.#showInBatch(render, render.batchId, store);
    const card = this.#cards.get(render.id);
    if (card) this.#filter(card);
  }

  /** Show the cards that the filter admits, after it was changed. */
  filter() {
    for (const card of new Set(this.#cards.values())) this.#filter(card);
  }

  /**
   * Remove a render. If it had the focus, focus its neighbour; return false if there is no neighbour.
   * @param {string} id
   */
  remove(id) {
    const card = this.#cards.get(id);
    if (!card) return true;
    this.#cards.delete(id);
    if (card instanceof BatchCard && card.remove(id)) return true;
    for (const [batchId, batch] of this.#batches) if (batch === card) this.#batches.delete(batchId);
    const hadFocus = card.element.contains(document.activeElement);
    const neighbour = hadFocus ? this.#neighbourOf(card.element) : undefined;
    card.element.remove();
    if (!hadFocus) return true;
    neighbour?.focus();
    return neighbour !== undefined;
  }

  /**
   * Scroll to a render unless it is in view. Return whether it is visible.
   * @param {string} id
   */
  reveal(id) {
    const element = this.#cards.get(id)?.element;
    const behavior = matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth";
    element?.scrollIntoView({ block: "nearest", behavior });
    return element !== undefined && !element.hidden;
  }

  /** Update the texts that depend on the time. */
  tick() {
    for (const card of new Set(this.#cards.values())) card.tick();
  }

  /** Return the ids of the batches whose progress must be read. */
  takeStaleBatches() {
    return [...this.#batches].filter(([, batch]) => batch.takeStale()).map(([batchId]) => batchId);
  }

  /** Read the progress of all batches again. */
  markBatchesStale() {
    for (const batch of this.#batches.values()) batch.markStale();
  }

  /**
   * @param {string} batchId
   * @param {BatchProgress} progress
   */
  showBatch(batchId, progress) {
    this.#batches.get(batchId)?.showProgress(progress);
  }

  /**
   * @param {Render} render
   * @param {string} batchId
   * @param {RenderStore} store
   */
  #showInBatch(render, batchId, store) {
    const known = this.#batches.get(batchId);
    const batch = known ?? new BatchCard(batchId, this.#actions, this.#isShown);
    batch.show(render);
    this.#batches.set(batchId, batch);
    if (known) this.#cards.set(render.id, known);
    else this.#insert(batch, render.id, store);
  }

  /**
   * @param {RenderCard | BatchCard} card
   * @param {string} id The id of its render, or of the first of its batch.
   * @param {RenderStore} store
   */
  #insert(card, id, store) {
    this.#cards.set(id, card);
    const next = store.olderThan(id, (each) => this.#cards.has(each));
    const before = next === undefined ? undefined : this.#cards.get(next);
    this.#element.insertBefore(card.element, before?.element ?? null);
    drawWhenNear(card.element, () => card.drawPreview());
  }

  /**
   * Show or hide a card. If a hidden one had the focus, its neighbour gets it.
   * @param {RenderCard | BatchCard} card
   */
  #filter(card) {
    const isHidden = card instanceof BatchCard ? card.filter() === 0 : !this.#isShown(card.render);
    if (card.element.hidden === isHidden) return;
    const hadFocus = card.element.contains(document.activeElement);
    card.element.hidden = isHidden;
    if (hadFocus) (this.#neighbourOf(card.element) ?? this.visibleCards[0])?.focus();
  }

  /**
   * Return the nearest visible card after or before an element.
   * @param {Element} element
   */
  #neighbourOf(element) {
    const byElement = new Map([...this.#cards.values()].map((card) => [/** @type {Element} */ (card.element), card]));
    for (const direction of /** @type {const} */ (["nextElementSibling", "previousElementSibling"])) {
      for (let found = element[direction]; found; found = found[direction]) {
        const card = byElement.get(found);
        if (card && !card.element.hidden) return card;
      }
    }
    return undefined;
  }
}
