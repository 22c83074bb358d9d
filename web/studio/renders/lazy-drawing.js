// Draws the previews of cards when they come near the visible part of the page: each drawing measures its text.

const MARGIN = "300px";

/** @type {WeakMap<Element, () => void>} */
const drawings = new WeakMap();
const observer = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      observer.unobserve(target);
      drawings.get(target)?.();
      drawings.delete(target);
    }
  },
  { rootMargin: MARGIN },
);

/**
 * Call `draw` once, when the element is near the visible part of the page.
 * @param {Element} element
 * @param {() => void} draw
 */
export function drawWhenNear(element, draw) {
  drawings.set(element, draw);
  observer.observe(element);
}
