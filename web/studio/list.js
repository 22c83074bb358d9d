// The list of renders, newest first.

import { Card } from "./card.js";

export class List {
  #element;
  #cards = new Map();
  #actions;

  constructor(element, actions) {
    this.#element = element;
    this.#actions = actions;
  }

  /** Show a render that is new or has changed. `renders` tells its place. */
  show(render, renders) {
    const card = this.#cards.get(render.id);
    if (card) card.show(render);
    else this.#insert(new Card(render, this.#actions), renders);
  }

  /** Take a render away; who was in it is led to the next, and told `false` if there is none. */
  remove(id) {
    const { element } = this.#cards.get(id);
    const hadFocus = element.contains(document.activeElement);
    const next = element.nextElementSibling ?? element.previousElementSibling;
    element.remove();
    this.#cards.delete(id);
    if (!hadFocus) return true;
    const card = [...this.#cards.values()].find((each) => each.element === next);
    card?.focus();
    return card !== undefined;
  }

  focus(id) {
    this.#cards.get(id)?.focus();
  }

  /** Say again what changes with time alone. */
  tick() {
    for (const card of this.#cards.values()) card.tick();
  }

  #insert(card, renders) {
    this.#cards.set(card.render.id, card);
    const order = [...renders].map(({ id }) => id);
    const next = order.slice(order.indexOf(card.render.id) + 1).find((id) => this.#cards.has(id));
    this.#element.insertBefore(card.element, this.#cards.get(next)?.element ?? null);
    card.drawPicture();
  }
}
