// The dialog that makes a link with which others can watch and download one render.

import { copyLink } from "../clipboard.js";
import { create, showNotice } from "../dom.js";
import * as format from "../format.js";

/** @import { Render } from "../../types.d.ts" */

const HOUR_S = 3_600;
const LIFETIMES = [
  { label: "1 hour", seconds: HOUR_S },
  { label: "1 day", seconds: 24 * HOUR_S },
  { label: "7 days", seconds: 7 * 24 * HOUR_S }, // the longest that the server accepts
];
const DEFAULT_S = 24 * HOUR_S;

/**
 * Show the dialog until the user closes it. `makeToken` returns a token for the render, or throws an error whose message
 * is a sentence for the user.
 * @param {Render} render
 * @param {(seconds: number) => Promise<{ token: string, expiresAt: string }>} makeToken
 * @returns {Promise<void>}
 */
export function share(render, makeToken) {
  const dialog = create("dialog", "share-dialog");
  const form = create("form");
  const heading = create("h2");
  const notice = create("p", "notice");
  heading.id = "share-heading";
  heading.textContent = `Share ${format.name(render)}`;
  dialog.setAttribute("aria-labelledby", heading.id);
  notice.role = "status";
  const explanation = create("p");
  explanation.textContent = "Anyone who has the link can watch and download this render without signing in.";
  form.append(heading, explanation, lifetimes(), notice, buttons(dialog));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const seconds = Number(new FormData(form).get("lifetime"));
    try {
      const { token, expiresAt } = await makeToken(seconds);
      await copyLink(linkTo(render, token), expiresAt, notice);
    } catch (error) {
      showNotice(notice, /** @type {Error} */ (error).message, "error");
    }
  });
  dialog.append(form);
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve();
    });
  });
}

function lifetimes() {
  const group = create("fieldset");
  const legend = create("legend");
  const choices = create("div", "choices");
  legend.textContent = "The link works for";
  for (const { label, seconds } of LIFETIMES) {
    const choice = create("label");
    const input = create("input");
    const text = create("span");
    Object.assign(input, { type: "radio", name: "lifetime", value: seconds, checked: seconds === DEFAULT_S });
    text.textContent = label;
    choice.append(input, text);
    choices.append(choice);
  }
  group.append(legend, choices);
  return group;
}

/** @param {HTMLDialogElement} dialog */
function buttons(dialog) {
  const row = create("div", "row");
  const close = create("button");
  const copy = create("button", "accent");
  close.type = "button";
  close.textContent = "Close";
  close.addEventListener("click", () => dialog.close());
  copy.textContent = "Copy link";
  row.append(close, copy);
  return row;
}

/**
 * @param {Render} render
 * @param {string} token
 */
function linkTo({ id }, token) {
  const url = new URL(`r/${id}`, document.baseURI);
  url.searchParams.set("token", token);
  return url.href;
}
