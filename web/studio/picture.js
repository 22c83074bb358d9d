// What a video looks like, drawn with CSS: at rest beside each render, moving in the preview.
//
// The renderer's own rules (services/backends/text/styles.py and fitting.py), as far as CSS has them. Sizes are those
// of a video 1280 pixels wide; studio.css scales them to the width of the picture.

const LONGEST_ENTRANCE_S = 1;
const ENTRANCE_SHARE = 0.6;
const TYPING_SHARE = 0.8;
const GRAPHEMES_PER_S = 12;
const SMALLEST_SIZE = 8;
const STEPS = 12;

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** Draw the text at rest into an element of the class `screen`. Only colours can come out of colours. */
export function draw(screen, { text, fontFamily, fontSize, color, backgroundColor }) {
  const words = document.createElement("div");
  words.className = "words";
  words.dir = "auto";
  words.ariaHidden = "true";
  words.textContent = text;
  words.style.color = color;
  words.style.fontFamily = `${quoted(fontFamily)}, Inter, system-ui, sans-serif`;
  screen.style.backgroundColor = "#000";
  if (backgroundColor) screen.style.backgroundColor = backgroundColor;
  screen.replaceChildren(words);
  fit(screen, words, fontSize);
}

/** Draw it, and let it appear as it will in the video if `moving`. */
export function play(screen, props, { moving }) {
  draw(screen, props);
  delete screen.dataset.style;
  if (!moving) return;
  const lasts = props.durationInFrames / props.fps;
  const words = screen.firstElementChild;
  const bar = document.createElement("div");
  bar.className = "elapsed";
  screen.append(bar);
  screen.style.setProperty("--lasts", `${lasts}s`);
  screen.style.setProperty("--entrance", `${Math.min(LONGEST_ENTRANCE_S, lasts * ENTRANCE_SHARE)}s`);
  if (props.style === "TYPEWRITER") typeOut(words, props.text, lasts);
  screen.dataset.style = props.style;
}

function typeOut(words, text, lasts) {
  const parts = [...graphemes.segment(text)].map(({ segment }) => segment);
  const typing = Math.min(parts.length / GRAPHEMES_PER_S, lasts * TYPING_SHARE);
  words.replaceChildren(
    ...parts.map((part, index) => {
      const span = document.createElement("span");
      span.textContent = part;
      span.style.animationDelay = `${(typing * (index + 1)) / parts.length}s`;
      return span;
    }),
  );
}

/** Shrink the text until it fits, as the renderer does. */
function fit(screen, words, size) {
  const fits = (tried) => {
    words.style.setProperty("--size", tried);
    return words.scrollHeight <= words.clientHeight + 1 && words.scrollWidth <= words.clientWidth + 1;
  };
  if (!screen.isConnected || fits(size)) {
    words.style.setProperty("--size", size);
    return;
  }
  let [low, high] = [SMALLEST_SIZE, size];
  for (let step = 0; step < STEPS; step++) {
    const middle = (low + high) / 2;
    if (fits(middle)) low = middle;
    else high = middle;
  }
  words.style.setProperty("--size", low);
}

function quoted(family) {
  return family
    .split(",")
    .map((each) => `"${each.trim().replace(/["\\\n]/g, "")}"`)
    .join(", ");
}
