// The forms of compositions, of which the chosen one is shown.
//
// Schemas and default props can be large, so those of a composition are read when its form is shown.

import { byId, create } from "../dom.js";
import { CompositionForm } from "./composition-form.js";

/** @import { CompositionProps, JsonObject, PropsForm, StartInput } from "../../types.d.ts" */

/** @implements {PropsForm} */
export class CompositionForms {
  #place = byId("composition-fields", HTMLElement);
  #picker = byId("composition", HTMLSelectElement);
  #read;
  #announce;
  #id = "";
  /** @type {CompositionForm | undefined} */
  #shown;
  /** @type {Map<string, CompositionForm>} */
  #forms = new Map(); // each keeps what the user has entered
  #reads = 0;

  /**
   * `read` returns the props of a composition, `announce` receives sentences for screen readers.
   * @param {(id: string) => Promise<CompositionProps>} read
   * @param {(text: string) => void} announce
   */
  constructor(read, announce) {
    this.#read = read;
    this.#announce = announce;
  }

  /** Hide the form. */
  hide() {
    this.#reads += 1;
    this.#id = "";
    this.#place.hidden = true;
  }

  /**
   * Show the form of a composition, and a message until it is loaded.
   * @param {string} id
   */
  show(id) {
    this.#id = id;
    this.#place.hidden = false;
    const known = this.#forms.get(id);
    if (known) this.#showForm(known);
    else this.#showLoading();
    this.refresh();
  }

  /**
   * Fill in the form of the shown composition. Throws an error for the user if its fields can't be read.
   * @param {string} id
   * @param {JsonObject} props Without those that are the composition's defaults.
   */
  async use(id, props) {
    const found = await this.#read(id);
    if (id !== this.#id) return;
    this.#reads += 1;
    this.#forms.set(id, new CompositionForm(id, found, this.#announce, { ...found.defaultProps, ...props }));
    this.#showProps(id, found);
  }

  /** Read the props of the shown composition again. The form stays unless they have changed. */
  async refresh() {
    if (this.#id === "") return;
    const id = this.#id;
    const read = ++this.#reads;
    const found = await this.#read(id).catch((error) => /** @type {Error} */ (error));
    if (read !== this.#reads) return;
    if (!(found instanceof Error)) this.#showProps(id, found);
    else if (!this.#shown) this.#showError(found.message);
  }

  /**
   * The input of the shown form. Throws an error for the user while it is not loaded.
   * @returns {StartInput}
   */
  get input() {
    if (!this.#shown) throw new Error(`The fields of ${this.#id} are not loaded yet.`);
    return this.#shown.input;
  }

  /**
   * Show a problem at its field. Return whether there is one.
   * @param {string[]} path From the props.
   * @param {string} message
   */
  showProblem(path, message) {
    return this.#shown?.showProblem(path, message) ?? false;
  }

  /**
   * @param {string} id
   * @param {CompositionProps} props
   */
  #showProps(id, props) {
    const isLoaded = this.#shown !== undefined;
    if (!this.#forms.get(id)?.isFor(props)) this.#forms.set(id, new CompositionForm(id, props, this.#announce));
    this.#showForm(/** @type {CompositionForm} */ (this.#forms.get(id)));
    if (!isLoaded) this.#announce(`The fields of ${id} are loaded.`);
  }

  /** @param {CompositionForm} form */
  #showForm(form) {
    if (form !== this.#shown) this.#replace(form.element);
    this.#shown = form;
  }

  #showLoading() {
    const text = `Loading the fields of ${this.#id}…`;
    const line = create("p", "hint");
    line.textContent = text;
    this.#shown = undefined;
    this.#replace(line);
    this.#place.ariaBusy = "true";
    this.#announce(text);
  }

  /** @param {string} reason */
  #showError(reason) {
    const note = create("p", "note note-error");
    note.role = "alert";
    note.textContent = `The fields of ${this.#id} can't be loaded. ${reason}`;
    const button = create("button", "secondary");
    button.type = "button";
    button.textContent = "Try again";
    button.addEventListener("click", () => this.show(this.#id));
    this.#replace(note, button);
  }

  /**
   * Replace the content. If it had the focus, focus the choice of the composition.
   * @param {HTMLElement[]} elements
   */
  #replace(...elements) {
    const hadFocus = this.#place.contains(document.activeElement);
    this.#place.replaceChildren(...elements);
    this.#place.ariaBusy = null;
    if (hadFocus) this.#picker.focus();
  }
}
