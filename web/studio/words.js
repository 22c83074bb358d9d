// Numbers and states as a person would say them.

const STYLES = { FADE_IN: "Fade in", TYPEWRITER: "Typewriter", SLIDE_UP: "Slide up", SCALE: "Scale" };
const STATUSES = {
  QUEUED: "Waiting",
  RENDERING: "Rendering",
  COMPLETE: "Done",
  FAILED: "Failed",
  CANCELLED: "Cancelled",
};
const PHASES = {
  LAUNCHING: "Starting the renderer",
  RENDERING_FRAMES: "Drawing frames",
  ENCODING: "Encoding",
  COMBINING: "Putting parts together",
};
const LONGEST_NAME = 40; // characters of a text that stand for the whole of it

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });

export const style = (name) => STYLES[name] ?? name;
export const phase = (name) => PHASES[name] ?? name;

export function status(render) {
  return render.cancelRequested && render.status === "RENDERING" ? "Cancelling" : STATUSES[render.status] ?? render.status;
}

export function name({ animationProps: { text } }) {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length <= LONGEST_NAME ? `“${line}”` : `“${line.slice(0, LONGEST_NAME).trimEnd()}…”`;
}

export function seconds(count) {
  return `${Number(count.toFixed(1))} s`;
}

/** About how long until then, in words; at least a second. */
export function timeUntil(instant) {
  const left = Math.max(1, Math.ceil((Date.parse(instant) - Date.now()) / 1000));
  if (left < 90) return `${left} s`;
  return left < 5400 ? `${Math.round(left / 60)} min` : `${Math.round(left / 3600)} h`;
}

export function time(instant) {
  const date = new Date(instant);
  return (date.toDateString() === new Date().toDateString() ? clock : day).format(date);
}

export function size(bytes) {
  return bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/** Small sums are what renders cost, so they get the digits they need. */
export function cost(dollars) {
  return dollars === 0 ? "$0" : `$${dollars.toFixed(Math.max(2, 1 - Math.floor(Math.log10(dollars))))}`;
}

export function count(number, one, many) {
  return `${number} ${number === 1 ? one : many}`;
}
