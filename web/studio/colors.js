// Colours: texts in CSS notation, each with a swatch that shows the colour and opens the browser's colour picker.

import { create } from "./dom.js";

/**
 * Return a swatch for a text in CSS notation.
 * @param {string} name For screen readers.
 */
export function createSwatch(name) {
  return Object.assign(create("input"), { type: "color", ariaLabel: name });
}

/**
 * Show the text's colour in the swatch, and the swatch's colour as the text.
 * @param {HTMLInputElement} swatch
 * @param {HTMLInputElement | HTMLTextAreaElement} text
 */
export function bindSwatch(swatch, text) {
  const show = () => (swatch.value = toHex(text.value) ?? swatch.value);
  swatch.addEventListener("input", () => (text.value = swatch.value));
  text.addEventListener("input", show);
  show();
}

/**
 * Return the colour as `#rrggbb`, the only notation that `<input type="color">` accepts. Undefined if it is not a CSS
 * colour or cannot be written in this notation.
 * @param {string} color
 */
function toHex(color) {
  if (!CSS.supports("color", color)) return undefined;
  const context = document.createElement("canvas").getContext("2d");
  if (!context) return undefined;
  context.fillStyle = color;
  return /^#[0-9a-f]{6}$/.test(context.fillStyle) ? context.fillStyle : undefined;
}
