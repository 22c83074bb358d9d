// The list of renders, newest first.

import { RenderCard } from "./render-card.js";

/** @import { RenderStore } from "./render-store.js" */
/** @import { Render, RenderActions } from "../../types.d.ts" */

export class RenderList {
  #element;
  #actions;
  /** @type {Map<string, RenderCard>} */
  #cards = new Map();

  /**
   * @param {HTMLElement} element
   * @param {RenderActions} actions
   */
  constructor(element, actions) {
    this.#element = element;
    this.#actions = actions;
  }

  /**
   * Show a new or changed render. Its place is the one it has in `store`.
   * @param {Render} render
   * @param {RenderStore} store
   */
  show(render, store) {
    const card = this.#cards.get(render.id);
    if (card) card.show(render);
    else this.#insert(new RenderCard(render, this.#actions), store);
  }

  /**
   * Remove a render. If it had the focus, focus its neighbour; return false if there is no neighbour.
   * @param {string} id
   */
  remove(id) {
    const element = this.#cards.get(id)?.element;
    if (!element) return true;
    const hadFocus = element.contains(document.activeElement);
    const next = element.nextElementSibling ?? element.previousElementSibling;
    element.remove();
    this.#cards.delete(id);
    if (!hadFocus) return true;
    const card = [...this.#cards.values()].find((each) => each.element === next);
    card?.focus();
    return card !== undefined;
  }

  /** @param {string} id */
  focus(id) {
    this.#cards.get(id)?.focus();
  }

  /**
   * Scroll to a render unless it is in view.
   * @param {string} id
   */
  reveal(id) {
    const behavior = matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth";
    this.#cards.get(id)?.element.scrollIntoView({ block: "nearest", behavior });
  }

  /** Update the texts that depend on the time. */
  tick() {
    for (const card of this.#cards.values()) card.tick();
  }

  /**
   * @param {RenderCard} card
   * @param {RenderStore} store
   */
  #insert(card, store) {
    this.#cards.set(card.render.id, card);
    const order = [...store].map(({ id }) => id);
    const next = order.slice(order.indexOf(card.render.id) + 1).find((id) => this.#cards.has(id));
    const before = next === undefined ? undefined : this.#cards.get(next);
    this.#element.insertBefore(card.element, before?.element ?? null);
    card.drawPreview();
  }
}
