// Copies texts and links.

import { create, showNotice } from "./dom.js";
import * as format from "./format.js";

/**
 * Write a text to the clipboard. Returns whether the browser allows it, which it does only with HTTPS or on localhost.
 * @param {string} text
 */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

/**
 * Copy a link, and show so in `notice`. Where the browser does not allow it, the notice has the link, selected. Returns the sentence that is shown.
 * @param {string} url
 * @param {string} expiresAt An instant.
 * @param {HTMLElement} notice
 */
export async function copyLink(url, expiresAt, notice) {
  const isCopied = await copyText(url);
  const sentence = `${isCopied ? "Link copied." : "Copy this link."} It expires at ${format.time(expiresAt)}.`;
  showNotice(notice, sentence, isCopied ? "success" : "");
  if (!isCopied) addSelected(notice, create("input", "link"), { text: url, label: "Link" });
  return sentence;
}

/**
 * Add a field from which the user can copy a text, and select the text.
 * @param {HTMLElement} notice
 * @param {HTMLInputElement | HTMLTextAreaElement} field
 * @param {{ text: string, label: string }} content
 */
export function addSelected(notice, field, { text, label }) {
  field.readOnly = true;
  field.value = text;
  field.ariaLabel = label;
  notice.append(field);
  field.focus(); // scrolls to it
  field.select();
}
