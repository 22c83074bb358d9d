// The progress of running renders in the title of the browser's tab.

import * as format from "./format.js";
import { isUnfinished } from "./renders/render-store.js";

/** @import { Render } from "../types.d.ts" */

const TITLE = document.title;

/**
 * Show the progress of the unfinished renders, or the page's own title if there are none.
 * @param {Iterable<Render>} renders
 */
export function showProgressInTitle(renders) {
  const running = [...renders].filter(isUnfinished);
  const percent = Math.floor(running.reduce((sum, { progress }) => sum + progress, 0) / running.length);
  const name = running.length === 1 ? format.name(running[0]) : `of ${running.length} renders`;
  const title = running.length === 0 ? TITLE : `${percent}% ${name} – ${TITLE}`;
  if (document.title !== title) document.title = title;
}
