// Animates a text as the renderer does: services/backends/text/styles.py has the same formulas.

/** @import { Timeline } from "../types.d.ts" */

const MAX_ENTRANCE_S = 1;
const ENTRANCE_SHARE = 0.6;
const TYPING_SHARE = 0.8;
const GRAPHEMES_PER_S = 12;
const FADE_SHARE = 0.4; // of the entrance
const SLIDE = 0.14; // of the frame's height
const MIN_SCALE = 0.3;
const FREQUENCY = 10; // of the spring
const DAMPING = 0.7;

/**
 * Start the animation of an element that shows the text. `parts` are elements of single graphemes, with their indices;
 * `length` converts pixels of the video to a CSS length.
 * @param {Element} element
 * @param {string} style
 * @param {Timeline} timeline
 * @param {object} options
 * @param {{ element: Element, index: number }[]} options.parts
 * @param {(pixels: number) => string} options.length
 */
export function animate(element, style, timeline, { parts, length }) {
  if (style === "TYPEWRITER") type(parts, timeline);
  else enter(element, (progress) => pose(style, progress, (share) => length(timeline.height * share)), timeline);
}

/**
 * @param {Element} element
 * @param {(progress: number) => Keyframe} poseAt
 * @param {Timeline} timeline
 */
function enter(element, poseAt, { frames, fps }) {
  const count = Math.min(Math.trunc(fps * MAX_ENTRANCE_S), Math.trunc(frames * ENTRANCE_SHARE));
  const keyframes = Array.from({ length: count + 1 }, (_, frame) => poseAt(frame / count));
  if (count > 0) element.animate(keyframes, (1000 * count) / fps);
}

/**
 * Hide each grapheme until its time.
 * @param {{ element: Element, index: number }[]} parts
 * @param {Timeline} timeline
 */
function type(parts, { frames, fps, graphemes }) {
  const count = Math.min(Math.ceil((graphemes * fps) / GRAPHEMES_PER_S), Math.trunc(frames * TYPING_SHARE));
  for (const { element, index } of parts) {
    const frame = Math.ceil(((index + 1) * count) / graphemes);
    element.animate({ visibility: ["hidden", "hidden"] }, (1000 * frame) / fps);
  }
}

/**
 * @param {string} style
 * @param {number} progress Of the entrance, 0 to 1.
 * @param {(share: number) => string} height Returns a share of the frame's height as a CSS length.
 * @returns {Keyframe}
 */
function pose(style, progress, height) {
  if (style === "FADE_IN") return { opacity: progress };
  const opacity = Math.min(1, progress / FADE_SHARE);
  if (style === "SLIDE_UP") return { opacity, translate: `0 ${height(SLIDE * (1 - progress) ** 3)}` };
  return { opacity, scale: progress === 1 ? 1 : MIN_SCALE + (1 - MIN_SCALE) * spring(progress) };
}

/**
 * Return the position of a spring: 0 when released, 1 at rest.
 * @param {number} seconds
 */
function spring(seconds) {
  const root = Math.sqrt(1 - DAMPING ** 2);
  const phase = FREQUENCY * root * seconds;
  return 1 - Math.exp(-DAMPING * FREQUENCY * seconds) * (Math.cos(phase) + (DAMPING / root) * Math.sin(phase));
}
