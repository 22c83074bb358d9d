// The choice of the composition. It is remembered until the tab is closed.

import { byId, setOptions } from "../dom.js";
import { Notes } from "../fields/frames.js";
import * as format from "../format.js";

/** @import { Composition } from "../../types.d.ts" */

const PICKED = "rendercast-composition"; // in sessionStorage
const GROUPS = { VIDEO: "Videos", STILL: "Stills" };

export class CompositionPicker {
  #field = byId("composition-field", HTMLElement);
  #select = byId("composition", HTMLSelectElement);
  #notes = new Notes(this.#select, this.#field, byId("composition-problem", HTMLElement));
  #onPick;
  /** @type {Composition[]} */
  #compositions = [];

  /**
   * `onPick` receives the composition that is picked, or undefined if none is known.
   * @param {(composition: Composition | undefined) => void} onPick
   */
  constructor(onPick) {
    this.#onPick = onPick;
    this.#select.addEventListener("input", () => this.#onUserPick());
  }

  /**
   * Offer these compositions, and pick `usual` unless another one is picked or was picked in this tab. Return false if
   * they are offered already.
   * @param {Composition[]} compositions
   * @param {string} usual An id.
   */
  offer(compositions, usual) {
    if (JSON.stringify(compositions) === JSON.stringify(this.#compositions)) return false;
    this.#compositions = compositions;
    this.#field.hidden = compositions.every(({ id }) => id === usual);
    const wanted = [this.#select.value, sessionStorage.getItem(PICKED), usual];
    const chosen = wanted.find((id) => compositions.some((each) => each.id === id)) ?? undefined;
    setOptions(this.#select, compositions.map(toOption), chosen);
    this.#onPick(this.#picked);
    return true;
  }

  /**
   * Pick a composition. Throws an error for the user if it is not offered.
   * @param {string} id
   */
  pick(id) {
    if (!this.#compositions.some((each) => each.id === id)) throw new Error(`The server has no composition ${id} any more.`);
    if (this.#select.value === id) return;
    this.#select.value = id;
    this.#onUserPick();
  }

  /** @param {string} message */
  showProblem(message) {
    if (this.#field.hidden) return false;
    this.#notes.show(message);
    return true;
  }

  #onUserPick() {
    sessionStorage.setItem(PICKED, this.#select.value);
    this.#onPick(this.#picked);
  }

  get #picked() {
    return this.#compositions.find(({ id }) => id === this.#select.value);
  }
}

/** @param {Composition} composition */
function toOption({ id, kind, width, height, fps, durationInFrames }) {
  const facts = [format.dimensions(width, height)];
  if (kind === "VIDEO") facts.push(format.seconds(durationInFrames / fps));
  return { group: GROUPS[kind], label: `${id} (${facts.join(", ")})`, value: id };
}
