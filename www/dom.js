// The two things that the page does with the DOM over and over. Text goes in as text: nothing here can make HTML.

/** An element with properties, data attributes and children. */
export function element(tag, { data = {}, ...properties } = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  Object.assign(node.dataset, data);
  node.append(...children);
  return node;
}

/** Writes only what changed: a live region repeats itself on every write. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
