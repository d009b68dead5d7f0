/** Makes of rendered Markdown what may stand in the page: every element, link and image is looked at. */
import { visible } from "../../shared/visible";
import { resolvePath } from "../model/paths";
import { text } from "../text";
import { ID_PREFIX, type Made } from "./render";

const TAGS = new Set("p h1 h2 h3 h4 h5 h6 ul ol li table thead tbody tr th td blockquote pre code em strong s a hr br sup section".split(" "));
const ATTRIBUTES = new Set("title id class start aria-label data-line data-task".split(" "));

export interface FragmentOptions {
  /** The folder of the document, below the place. */
  readonly folder: string;
  /** Returns what stands for an image of the place. */
  image(path: string, alt: string, title: string): Node;
  /** Called when a task is ticked; absent where the document cannot be edited. */
  onTask?: ((line: number, isDone: boolean) => void) | undefined;
}

/** Returns the nodes of rendered Markdown. */
export function makeFragment(made: Made["inside"], options: FragmentOptions): DocumentFragment {
  const fragment = document.createDocumentFragment();
  for (const one of made) fragment.append(nodeOf(one, options));
  markDirections(fragment);
  return fragment;
}

/** Each element is made by its name, from a fixed list: no text is ever read as markup. */
function nodeOf(made: Made | string, options: FragmentOptions): Node {
  if (typeof made === "string") return document.createTextNode(made);
  const { tag, attributes, inside } = made;
  if (tag === "img") return imageFor(attributes.get("src") ?? "", attributes.get("alt") ?? "", attributes.get("title") ?? "", options);
  const element = document.createElement(TAGS.has(tag) ? tag : "span");
  for (const [name, value] of attributes) if (ATTRIBUTES.has(name)) element.setAttribute(name, value);
  for (const one of inside) element.append(nodeOf(one, options));
  if (element instanceof HTMLAnchorElement) setLink(element, attributes.get("href") ?? "", options);
  else if (element.dataset["task"]) setTask(element, options);
  return element;
}

function setLink(link: HTMLAnchorElement, href: string, { folder }: FragmentOptions): void {
  const address = href.startsWith("#") ? null : addressOf(href);
  if (href.startsWith("#")) {
    link.setAttribute("href", `#${ID_PREFIX}${href.slice(1)}`);
    link.dataset["inside"] = href.slice(1);
  } else if (address) {
    link.href = address.href;
    link.target = "_blank";
    link.rel = "noopener noreferrer";
    link.title = address.protocol === "mailto:" ? visible(address.href) : text.link.external(address.host);
    link.classList.add("is-external");
  } else {
    const path = resolvePath(folder, href);
    if (path === null) {
      link.title = text.link.refused;
      link.classList.add("is-refused");
      return;
    }
    link.setAttribute("href", "#");
    link.dataset["path"] = path;
    link.dataset["inside"] = href.split("#")[1] ?? "";
    link.title = text.link.file(visible(path));
  }
}

/** Returns an address that a person may follow out of the page. */
function addressOf(href: string): URL | null {
  if (!/^(?:https?:\/\/|mailto:)/i.test(href)) return null;
  try {
    return new URL(href);
  } catch {
    return null;
  }
}

function imageFor(source: string, alt: string, title: string, { folder, image }: FragmentOptions): Node {
  if (/^data:image\/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]+$/i.test(source)) {
    const shown = document.createElement("img");
    shown.src = source;
    shown.alt = alt;
    if (title) shown.title = title;
    return shown;
  }
  const address = addressOf(source);
  if (address) return absent(alt, text.image.remote(address.host));
  const path = resolvePath(folder, source);
  return path === null ? absent(alt, text.image.refused) : image(path, alt, title);
}

/** Returns what stands where an image does not. */
export function absent(alt: string, why: string): HTMLElement {
  const note = document.createElement("span");
  note.className = "no-image";
  note.textContent = alt ? `${alt} (${why})` : why;
  return note;
}

function setTask(item: HTMLElement, { onTask }: FragmentOptions): void {
  const box = document.createElement("input");
  box.type = "checkbox";
  box.checked = item.dataset["task"] === "done";
  const line = item.dataset["line"];
  const words = item.textContent?.trim().slice(0, 80) ?? "";
  box.setAttribute("aria-label", text.task(words));
  if (onTask && line !== undefined) box.addEventListener("change", () => onTask(Number(line), box.checked));
  else box.disabled = true;
  item.classList.add("task");
  (item.querySelector(":scope > p") ?? item).prepend(box, " ");
}

const TURNS = /[\u202a-\u202e\u2066-\u2069]/g;

/** What turns the direction of writing is shown, so that a text reads as it is. */
function markDirections(fragment: DocumentFragment): void {
  const walker = document.createTreeWalker(fragment, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode as Text;
    const next = node.data.replace(TURNS, (one) => `⟦U+${one.charCodeAt(0).toString(16).toUpperCase()}⟧`);
    if (next !== node.data) node.data = next;
  }
}
