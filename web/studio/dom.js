// Typed access to the page's elements.

/**
 * Return the element with this id. Throws if the page has none of this type.
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} type
 */
export function byId(id, type) {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new Error(`The page has no ${type.name} with the id ${id}.`);
  return element;
}

/**
 * Return a new element.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {string} className
 */
export function create(tag, className = "") {
  return Object.assign(document.createElement(tag), { className });
}

/**
 * Set the text of an element. An equal text is not written again, which would remove the user's selection.
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Show a sentence for the user in the place for it. `kind` decides its colour.
 * @param {HTMLElement} notice
 * @param {string} text
 * @param {"error" | "success" | ""} kind
 */
export function showNotice(notice, text, kind) {
  notice.textContent = text;
  notice.dataset.kind = kind;
}

/**
 * Replace the options of a select by these, in one group for each `group`. Selects `chosen` if it is one of them.
 * @param {HTMLSelectElement} select
 * @param {{ group: string, label: string, value: string }[]} options
 * @param {string | undefined} chosen
 */
export function setOptions(select, options, chosen) {
  const groups = [...new Set(options.map(({ group }) => group))];
  select.replaceChildren(
    ...groups.map((label) => {
      const element = Object.assign(create("optgroup"), { label });
      const members = options.filter(({ group }) => group === label);
      element.append(...members.map((each) => new Option(each.label, each.value)));
      return element;
    }),
  );
  if (options.some(({ value }) => value === chosen)) select.value = chosen ?? "";
}
