// The field for the font: a text field with a list of the server's families, each with a sample.

import { byId, create } from "../dom.js";

/** @import { FontFamily } from "../../types.d.ts" */

const NAMES = new Map([[100, "Thin"], [200, "Extra light"], [300, "Light"], [400, "Regular"], [500, "Medium"], [600, "Semibold"], [700, "Bold"], [800, "Extra bold"], [900, "Black"]]);
const REGULAR = 400;

export class FontPicker {
  #input = byId("fontFamily", HTMLInputElement);
  #list = byId("font-list", HTMLElement);
  #weight = byId("fontWeight", HTMLSelectElement);
  #italic = byId("italic", HTMLInputElement);
  /** @type {FontFamily[]} */
  #families = [];
  /** @type {HTMLElement[]} */
  #options = [];
  #active = -1;
  /** @type {string | null} */
  #typed = null; // while the list is open
  #visible = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) if (isIntersecting) this.#showSample(/** @type {HTMLElement} */ (target));
  });

  constructor() {
    this.#setWeights([...NAMES.keys()]);
    this.#input.addEventListener("input", () => this.#open(this.#input.value));
    this.#input.addEventListener("click", () => this.#open(""));
    this.#input.addEventListener("blur", () => this.#close());
    this.#input.addEventListener("change", () => this.#onFamily());
    this.#input.addEventListener("keydown", (event) => this.#onKey(event));
    this.#list.addEventListener("pointerdown", (event) => event.preventDefault()); // keeps the focus
    this.#list.addEventListener("click", (event) => this.#choose(/** @type {HTMLElement} */ (event.target)));
  }

  get props() {
    return { fontFamily: this.#input.value, fontWeight: Number(this.#weight.value), italic: this.#italic.checked };
  }

  set props({ fontFamily, fontWeight, italic }) {
    this.#input.value = fontFamily;
    this.#weight.add(new Option("", String(fontWeight))); // the family decides below which weights it has
    this.#weight.value = String(fontWeight);
    this.#onFamily();
    this.#italic.checked = italic && !this.#italic.disabled;
  }

  /** @param {FontFamily[]} families */
  setFamilies(families) {
    this.#families = families;
    this.#visible.disconnect();
    this.#options = families.map(({ family }, index) => {
      const option = Object.assign(create("li", "font"), { id: `font-${index}`, role: "option", textContent: family });
      option.ariaSelected = "false";
      this.#visible.observe(option);
      return option;
    });
    this.#list.replaceChildren(...this.#options);
    if (this.#typed !== null) this.#open(this.#typed);
    this.#onFamily();
  }

  get #shown() {
    return this.#options.filter(({ hidden }) => !hidden);
  }

  /** @param {string} typed Only families with this part in their names are shown. */
  #open(typed) {
    this.#typed = typed;
    for (const option of this.#options) option.hidden = !option.textContent?.toLowerCase().includes(typed.trim().toLowerCase());
    this.#list.hidden = this.#shown.length === 0;
    this.#input.ariaExpanded = String(!this.#list.hidden);
    this.#activate(-1);
  }

  #close() {
    this.#typed = null;
    this.#list.hidden = true;
    this.#input.ariaExpanded = "false";
    this.#activate(-1);
  }

  /** @param {number} index Of a shown option; -1 for none. */
  #activate(index) {
    this.#active = index;
    const active = this.#shown[index];
    for (const option of this.#options) option.ariaSelected = String(option === active);
    if (!active) return this.#input.removeAttribute("aria-activedescendant");
    this.#input.setAttribute("aria-activedescendant", active.id);
    active.scrollIntoView({ block: "nearest" });
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const active = this.#shown[this.#active];
    if (step) {
      if (this.#list.hidden) this.#open("");
      else this.#activate((this.#active + step + this.#shown.length) % this.#shown.length);
    } else if (event.key === "Enter" && active && !this.#list.hidden) this.#choose(active);
    else if (event.key === "Escape" && !this.#list.hidden) this.#close();
    else return;
    event.preventDefault();
  }

  /** @param {HTMLElement} option */
  #choose(option) {
    if (!this.#options.includes(option)) return;
    this.#input.value = option.textContent ?? "";
    this.#close();
    this.#onFamily();
    this.#input.dispatchEvent(new Event("input", { bubbles: true }));
    this.#close(); // the event has opened it again
  }

  /** Offer what the family has. Of one that is not known, all weights are offered. */
  #onFamily() {
    const name = this.#input.value.trim().toLowerCase();
    const family = this.#families.find((each) => each.family.toLowerCase() === name);
    this.#setWeights(family?.weights ?? [...NAMES.keys()]);
    this.#italic.disabled = family?.italic === false;
    if (this.#italic.disabled) this.#italic.checked = false;
  }

  /** @param {readonly number[]} weights */
  #setWeights(weights) {
    const wanted = Number(this.#weight.value || REGULAR);
    this.#weight.replaceChildren(...weights.map((weight) => new Option(NAMES.get(weight) ?? String(weight), String(weight))));
    const nearest = weights.reduce((best, each) => (Math.abs(each - wanted) < Math.abs(best - wanted) ? each : best));
    this.#weight.value = String(nearest);
  }

  /**
   * Show the family's name in its font. A font without the letters of the name stays as it is.
   * @param {HTMLElement} option
   */
  async #showSample(option) {
    this.#visible.unobserve(option);
    const family = this.#families[this.#options.indexOf(option)];
    if (!family?.scripts.includes("Latn")) return;
    const url = new URL(`assets/studio/fonts/${encodeURIComponent(family.family)}`, document.baseURI);
    const face = new FontFace(`Sample ${family.family}`, `url("${url}")`);
    try {
      document.fonts.add(await face.load());
      option.style.fontFamily = `"${face.family.replaceAll('"', "")}"`;
    } catch {
      // Browsers can't load a collection; its name stays in the page's font.
    }
  }
}
