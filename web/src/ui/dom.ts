// Makes elements. Texts only ever become text nodes and attribute values: what names, labels and
// addresses of the observed process hold is never read as markup. (lint.test.ts keeps it so.)

export type Child = Node | string | number | null | undefined | false | Child[];

export interface Attributes {
  class?: string;
  style?: Record<string, string>;
  on?: { [E in keyof HTMLElementEventMap]?: (event: HTMLElementEventMap[E]) => void };
  [name: string]: unknown;
}

function set(e: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "on") {
      for (const [type, listener] of Object.entries(value as Record<string, EventListener>)) {
        e.addEventListener(type, listener);
      }
    } else if (name === "style") {
      for (const [property, text] of Object.entries(value as Record<string, string>)) {
        (e as HTMLElement).style.setProperty(property, text);
      }
    } else {
      e.setAttribute(name, value === true ? "" : String(value));
    }
  }
}

function add(e: Element, children: Child[]): void {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    if (Array.isArray(child)) add(e, child);
    else e.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const e = document.createElement(tag);
  set(e, attributes);
  add(e, children);
  return e;
}

export function svg(tag: string, attributes: Attributes = {}, ...children: Child[]): SVGElement {
  const e = document.createElementNS("http://www.w3.org/2000/svg", tag);
  set(e, attributes);
  add(e, children);
  return e;
}

/** What an element is called by when it is made anew. */
function nameOf(e: Element): string {
  return `${e.localName} ${e.getAttribute("data-focus") ?? e.getAttribute("data-label") ?? e.getAttribute("href") ?? e.textContent ?? ""}`;
}

/** In place of what was there. Who was on something that is there again, is on it again; where it is gone, on the
 * element itself, if that has a tabindex: keys go on from there, and not from the top of the page. */
export function fill(e: Element, ...children: Child[]): void {
  const focused = document.activeElement;
  const name = focused && focused !== e && e.contains(focused) ? nameOf(focused) : "";
  e.replaceChildren();
  add(e, children);
  if (!name || !focused) return;
  for (const same of Array.from(e.querySelectorAll<HTMLElement>(focused.localName))) {
    if (nameOf(same) === name) return same.focus({ preventScroll: true });
  }
  if (e instanceof HTMLElement && e.hasAttribute("tabindex")) e.focus({ preventScroll: true });
}

/** Sets the text only where it differs: nothing is laid out anew for nothing. */
export function setText(e: Element, text: string): void {
  if (e.textContent !== text) e.textContent = text;
}

export function button(label: string, click: () => void, attributes: Attributes = {}): HTMLButtonElement {
  return h("button", { type: "button", on: { click }, ...attributes }, label);
}

export async function copy(text: string, from: HTMLButtonElement): Promise<void> {
  try {
    // Only pages that came safely have a clipboard; the others have what there was before.
    if (navigator.clipboard) await navigator.clipboard.writeText(text);
    else if (!copyOld(text)) throw new Error("refused");
    say(from, "Copied");
  } catch {
    say(from, "Not allowed to copy");
  }
}

function copyOld(text: string): boolean {
  const area = h("textarea", { class: "unseen", readonly: true });
  area.value = text;
  (document.querySelector("dialog[open]") ?? document.body).append(area);
  const focused = document.activeElement as HTMLElement | null;
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  focused?.focus({ preventScroll: true });
  return done;
}

/** In place of the label, for a moment. */
function say(on: HTMLButtonElement, text: string): void {
  const label = on.getAttribute("data-label") ?? on.textContent ?? "";
  on.setAttribute("data-label", label);
  on.textContent = text;
  setTimeout(() => (on.textContent = label), 1500);
}

/** `name`: where there are several with one label. */
export function copyButton(label: string, text: () => string | Promise<string>, name?: string): HTMLButtonElement {
  const b = button(label, () => {
    Promise.resolve()
      .then(text)
      .then((t) => copy(t, b))
      .catch((e: unknown) => say(b, `Failed: ${e instanceof Error ? e.message : String(e)}`.slice(0, 80)));
  }, { "data-focus": name });
  return b;
}

/** Has the browser save it. */
export function save(content: Blob, name: string): void {
  const url = URL.createObjectURL(content);
  const a = h("a", { href: url, download: name });
  document.body.append(a);
  a.click();
  a.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
