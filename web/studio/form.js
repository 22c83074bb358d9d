// The form of a new video, with its preview. What is wrong with the input is the server's to say.

import { play } from "./picture.js";
import * as words from "./words.js";

const FPS = 30; // until the server has told
const SETTLED_MS = 400; // after the last change
const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");

export class Form {
  #form;
  #limits = { fps: FPS };
  #stage = document.querySelector("#stage");
  #facts = document.querySelector("#preview-facts");
  #refusal = document.querySelector("#refusal");
  #button = document.querySelector("#render");
  #changed;

  /** `start(props)` starts a render. It returns what is wrong: `{message, problems}`, or nothing. */
  constructor(form, start) {
    this.#form = form;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit(start);
    });
    form.addEventListener("input", (event) => this.#change(event.target));
    document.querySelector("#play-preview").addEventListener("click", () => this.#preview({ moving: true }));
    this.#label();
    this.#preview({ moving: !reducedMotion.matches });
  }

  /** Offer what the server accepts. */
  limit(limits) {
    this.#limits = limits;
    const { fontSize, duration } = this.#form.elements;
    document.querySelector("#text-hint").textContent = `up to ${limits.maxTextLength} characters`;
    [fontSize.min, fontSize.max] = [limits.minFontSize, limits.maxFontSize];
    duration.max = limits.maxDurationSeconds;
    this.#label();
  }

  get props() {
    const { text, style, fontFamily, fontSize, color, backgroundColor, duration } = this.#form.elements;
    return {
      text: text.value,
      style: style.value,
      fontFamily: fontFamily.value,
      fontSize: Number(fontSize.value),
      color: color.value,
      backgroundColor: backgroundColor.value.trim() || null,
      durationInFrames: Math.round(Number(duration.value) * this.#limits.fps),
      fps: this.#limits.fps,
    };
  }

  async #submit(start) {
    if (this.#button.ariaBusy === "true") return;
    this.#button.ariaBusy = "true";
    this.#button.textContent = "Starting…";
    this.#showRefusal("");
    try {
      this.#showFaults((await start(this.props)) ?? {});
    } catch (problem) {
      this.#showFaults(problem);
    }
    this.#button.ariaBusy = null;
    this.#button.textContent = "Render";
  }

  /** Show each problem at its field, go to the first, and say the rest in one sentence. */
  #showFaults({ message = "", problems = [] }) {
    const placed = new Set();
    for (const field of this.#form.querySelectorAll("[data-field]")) {
      const mine = problems.filter((problem) => problem.field === field.dataset.field);
      const place = field.querySelector(".problem");
      if (!place) continue;
      place.textContent = mine.map((problem) => problem.message).join(" ");
      const input = field.querySelector("[aria-describedby]");
      input.ariaInvalid = mine.length > 0 ? "true" : null;
      for (const problem of mine) placed.add(problem);
    }
    this.#form.querySelector("[aria-invalid=true]")?.focus();
    const isAllPlaced = problems.length > 0 && problems.every((problem) => placed.has(problem));
    this.#showRefusal(isAllPlaced ? "" : message);
  }

  #showRefusal(message) {
    this.#refusal.hidden = message === "";
    this.#refusal.textContent = message;
  }

  #change(input) {
    const { elements } = this.#form;
    if (input.type === "color") elements[input.id.replace("-swatch", "")].value = input.value;
    for (const name of ["color", "backgroundColor"]) {
      const hex = hexOf(elements[name].value);
      if (hex) elements[`${name}-swatch`].value = hex;
    }
    this.#label();
    clearTimeout(this.#changed);
    this.#preview({ moving: false });
    if (!reducedMotion.matches) this.#changed = setTimeout(() => this.#preview({ moving: true }), SETTLED_MS);
  }

  #label() {
    const { fontSize, duration } = this.#form.elements;
    const lasts = words.seconds(Number(duration.value));
    document.querySelector("#fontSize-value").textContent = `${fontSize.value} px`;
    document.querySelector("#duration-value").textContent = lasts;
    fontSize.setAttribute("aria-valuetext", `${fontSize.value} pixels`);
    duration.setAttribute("aria-valuetext", `${duration.value} seconds`);
    const { style, durationInFrames } = this.props;
    this.#facts.textContent = `${words.style(style)} · ${lasts} · ${durationInFrames} frames`;
  }

  #preview({ moving }) {
    const { props } = this;
    play(this.#stage, props, { moving });
    this.#stage.ariaLabel = `Preview of ${words.name({ animationProps: props })}`;
  }
}

/** The colour as a swatch needs it; undefined if it is none, or one that a swatch can't show. */
function hexOf(color) {
  if (!CSS.supports("color", color)) return undefined;
  const context = document.createElement("canvas").getContext("2d");
  context.fillStyle = color;
  return /^#[0-9a-f]{6}$/.test(context.fillStyle) ? context.fillStyle : undefined;
}
