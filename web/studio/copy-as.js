// "Copy as": the settings of the form as code that starts the same render.

import { TOKEN } from "./api.js";
import { addSelected, copyText } from "./clipboard.js";
import { create, showNotice } from "./dom.js";
import { Menu } from "./menu.js";
import { commandLine, curl, graphql, python, react } from "./snippets.js";

/** @import { StartInput } from "../types.d.ts" */
/** @import { Target } from "./snippets.js" */

/** @typedef {(input: StartInput, target: Target) => string} Writer */

/** @type {[string, Writer][]} */
const LANGUAGES = [
  ["curl", curl],
  ["GraphQL", graphql],
  ["React", react],
  ["Command line", commandLine],
  ["Python", python],
];
const MAX_ROWS = 12; // of the field with the code

/**
 * Add the menu to `place`, and what it reports below the parent of `place`. `readInput` returns what Render sends, or throws an error with a sentence for the user.
 * @param {HTMLElement} place
 * @param {() => StartInput} readInput
 */
export function addCopyAs(place, readInput) {
  const menu = new Menu("Copy as");
  const notice = create("p", "notice");
  notice.role = "status";
  menu.setItems(
    ...LANGUAGES.map(([name, write]) => {
      const item = create("button", "secondary");
      item.type = "button";
      item.textContent = name;
      item.addEventListener("click", () => void copy(name, write, { readInput, notice }));
      return item;
    }),
  );
  place.append(menu.element);
  place.parentElement?.after(notice); // as wide as the form
}

/**
 * @param {string} name
 * @param {Writer} write
 * @param {{ readInput: () => StartInput, notice: HTMLElement }} parts
 */
async function copy(name, write, { readInput, notice }) {
  const url = new URL(".", document.baseURI).href.replace(/\/$/, "");
  let code = "";
  try {
    code = write(readInput(), { url, signsIn: sessionStorage.getItem(TOKEN) !== null });
  } catch (error) {
    showNotice(notice, /** @type {Error} */ (error).message, "error");
    return;
  }
  if (await copyText(code)) showNotice(notice, `Copied as ${name}.`, "success");
  else showCode(notice, code, name);
}

/**
 * Show the code, selected, where the browser does not let the page copy it.
 * @param {HTMLElement} notice
 * @param {string} code
 * @param {string} name
 */
function showCode(notice, code, name) {
  showNotice(notice, "Copy this code.", "");
  const field = create("textarea", "copied-code");
  field.rows = Math.min(MAX_ROWS, code.split("\n").length);
  addSelected(notice, field, { text: code, label: `Code for ${name}` });
}
