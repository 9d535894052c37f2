export const byId = (id) => document.getElementById(id);

/** Show what is wrong, or nothing: a bold fact, and what follows from it. */
export function noticed(words) {
  const [, fact, more] = words?.match(/^(.*?[.!?])(?:\s+(.*))?$/s) ?? ["", words ?? ""];
  byId("notice").hidden = !words;
  byId("notice-fact").textContent = fact;
  byId("notice-more").textContent = more ?? "";
}

const SVG = "http://www.w3.org/2000/svg";

export function el(name, attributes = {}, children = []) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) node.setAttribute(key, value);
  }
  node.append(...[children].flat().filter((child) => child !== null && child !== undefined));
  return node;
}

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "ic ic-small");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

// Keep nodes whose item did not change, so focus stays and screen readers hear only what is new.
export function keyed(parent, items, keyOf, build) {
  const old = new Map([...parent.children].map((node) => [node.dataset.key, node]));
  const next = items.map((item) => {
    const key = String(keyOf(item));
    const shape = JSON.stringify(item);
    const known = old.get(key);
    if (known && known.dataset.shape === shape) return known;
    const held = known?.contains(document.activeElement) ? document.activeElement.id : null;
    const node = build(item);
    node.dataset.key = key;
    node.dataset.shape = shape;
    if (known) known.replaceWith(node);
    if (held) document.getElementById(held)?.focus();
    return node;
  });
  const wanted = new Set(next);
  for (const node of [...parent.children]) if (!wanted.has(node)) node.remove();
  next.forEach((node, index) => {
    if (parent.children[index] !== node) parent.insertBefore(node, parent.children[index] ?? null);
  });
}

export async function ask(method, path, body, onRefusal = null) {
  const options = { method, headers: {} };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  try {
    const response = await fetch(path, options);
    const answer = await response.json();
    if (response.ok) return answer;
    onRefusal?.(answer.error ?? `The sandbox answered ${response.status}`);
  } catch {
    onRefusal?.("The sandbox does not answer. Is it still running?");
  }
  return null;
}
