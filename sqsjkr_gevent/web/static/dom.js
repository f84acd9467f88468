/* Small DOM helpers. Text is always inserted as text, never as HTML. */

export const byId = (id) => document.getElementById(id);

/** A new element; properties are set as properties, children are nodes or texts. */
export function element(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

/** Set a text if it differs: an unchanged node causes no layout. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Set an attribute if it differs. */
export function mark(node, name, value) {
  if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

/** Show or hide a node. */
export function show(node, shown) {
  if (node.hidden === shown) node.hidden = !shown;
}
