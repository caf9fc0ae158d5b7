// Elements. Whatever a stream or an encoder calls itself gets in here as text, and as
// nothing else.

export const $ = (id) => document.getElementById(id);

// el makes an element. In its properties, on… are listeners and all else attributes;
// null and false leave one out. Children are elements or text.
export function el(name, properties = {}, ...children) {
  return fill(document.createElement(name), properties, children);
}

const svgNames = 'http://www.w3.org/2000/svg';

// svg does the same for a drawing.
export function svg(name, properties = {}, ...children) {
  return fill(document.createElementNS(svgNames, name), properties, children);
}

function fill(element, properties, children) {
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === false || value === undefined) continue;
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? '' : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

// put replaces what an element has, and touches nothing where it is the same text.
export function put(element, ...children) {
  if (children.length === 1 && typeof children[0] === 'string') {
    if (element.textContent !== children[0] || element.childElementCount) element.textContent = children[0];
    return;
  }
  element.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
}

// unless draws only when what is shown is another: who reads a table, or has selected
// some of it, is not disturbed.
export function unless(element, shown, draw) {
  const key = JSON.stringify(shown);
  if (element.dataset.key === key) return;
  const focused = element.contains(document.activeElement) ? document.activeElement.dataset.focus : undefined;
  draw();
  element.dataset.key = key;
  if (focused) element.querySelector(`[data-focus="${CSS.escape(focused)}"]`)?.focus();
}

// table makes one of rows of cells. head names its columns.
export function table(caption, head, rows) {
  return el('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': caption },
    el('table', {},
      el('caption', { class: 'unseen' }, caption),
      el('thead', {}, el('tr', {}, head.map((text) => el('th', { scope: 'col' }, text || el('span', { class: 'unseen' }, 'What can be done'))))),
      el('tbody', {}, rows.map((cells) => el('tr', {}, cells.map((cell, i) => el(i ? 'td' : 'th', i ? { 'data-head': head[i] } : { scope: 'row' }, cell)))))));
}

// code shows text that somebody will copy.
export function copyable(text, label, id) {
  return el('div', { class: 'copyline' }, el('code', { id }, text), el('button', { type: 'button', 'data-copy': id, 'data-focus': id, 'aria-label': label }, 'Copy'));
}
