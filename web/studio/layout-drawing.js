// Draws a text as the renderer laid it out, with the renderer's fonts.

/** @import { AnimationProps, TextLayout } from "../types.d.ts" */

const SVG = "http://www.w3.org/2000/svg";
const segmenter = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** @type {Map<string, FontFace>} */
const faces = new Map(); // those of the last layout, by id

/**
 * Load the fonts of a layout, and forget those of the one before it.
 * @param {TextLayout} layout
 */
export async function useFonts({ fonts }) {
  for (const { id, data } of fonts) {
    if (faces.has(id)) continue;
    const face = new FontFace(familyOf(id), Uint8Array.from(atob(data), (character) => character.charCodeAt(0)));
    faces.set(id, face);
    document.fonts.add(face);
  }
  const used = new Set(fonts.map(({ id }) => id));
  for (const [id, face] of faces) {
    if (used.has(id)) continue;
    document.fonts.delete(face);
    faces.delete(id);
  }
  await Promise.all([...faces.values()].map((face) => face.load()));
}

/**
 * Create a drawing with the size of the video. Returns it, the element of the text, and those of its graphemes.
 * @param {AnimationProps} props
 * @param {TextLayout} layout
 */
export function drawLayout({ color }, { width, height, fontSize, runs, fonts }) {
  const drawing = document.createElementNS(SVG, "svg");
  drawing.classList.add("preview-drawing");
  drawing.setAttribute("viewBox", `0 0 ${width} ${height}`);
  drawing.ariaHidden = "true";
  const text = document.createElementNS(SVG, "g");
  text.style.fill = color;
  const lines = runs.map((run) => {
    const line = document.createElementNS(SVG, "text");
    line.setAttribute("x", String(run.x));
    line.setAttribute("y", String(run.baseline));
    line.style.fontFamily = familyOf(fonts[run.font].id);
    line.style.fontSize = `${fontSize}px`;
    line.style.direction = run.rtl ? "rtl" : "ltr";
    line.textContent = run.text;
    return line;
  });
  text.append(...lines);
  drawing.append(text);
  return { drawing, text, lines };
}

/**
 * Divide the lines of a drawing into its graphemes.
 * @param {SVGTextElement[]} lines
 * @param {TextLayout} layout
 */
export function graphemesOf(lines, { runs }) {
  return lines.flatMap((line, number) => {
    const { text, start, end } = runs[number];
    const parts = [...segmenter.segment(text)].map(({ segment }, offset) => {
      const element = document.createElementNS(SVG, "tspan");
      element.textContent = segment;
      return { element, index: Math.min(start + offset, end - 1) };
    });
    line.replaceChildren(...parts.map(({ element }) => element));
    return parts;
  });
}

/** @param {string} id */
function familyOf(id) {
  return `rendercast-${id}`;
}
