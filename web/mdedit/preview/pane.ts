/** The preview: what the text looks like, scrolled to where the text is. */
import { visible } from "../../shared/visible";
import { editorView, setTaskDone } from "../editor/view";
import { current, folderOf, headings, mode, type OpenDocument, wordCount } from "../state";
import { makeFragment } from "./fragment";
import { forgetAbsent, showImage } from "./images";
import { ID_PREFIX, renderMarkdown } from "./render";

const WAIT_MS = 60;
/** A longer text is drawn less often while it is written. */
const LONG = 100_000;
const WAIT_LONG_MS = 350;

/** Who does one of these is the one who scrolls; the other side follows. */
const LEADING = ["wheel", "pointerdown", "focusin", "touchstart", "keydown"] as const;

/** Above the first line; the cursor in it does not scroll so far. */
const PADDING = 14;

let pane: HTMLElement | null = null;
let body: HTMLElement | null = null;
let timer: ReturnType<typeof setTimeout> | undefined;
let drawn: { readonly document: OpenDocument; readonly text: unknown } | null = null;
let leader: "text" | "preview" = "text";

/** Draws in these elements from now on: the one that scrolls, and the one with the content. */
export function mountPreview(scroller: HTMLElement, content: HTMLElement): () => void {
  pane = scroller;
  body = content;
  drawn = null;
  const lead = () => (leader = "preview");
  const follow = () => (leader = "text");
  const host = scroller.parentElement?.querySelector(".text-host");
  for (const kind of LEADING) {
    scroller.addEventListener(kind, lead, { passive: true });
    host?.addEventListener(kind, follow, { passive: true });
  }
  const onScroll = () => leader === "preview" && scrollText();
  scroller.addEventListener("scroll", onScroll, { passive: true });
  return () => {
    pane = null;
    body = null;
    for (const kind of LEADING) host?.removeEventListener(kind, follow);
  };
}

/** Draws a document, soon. */
export function drawSoon(document: OpenDocument): void {
  clearTimeout(timer);
  const isLong = document.state.doc.length > LONG;
  if (drawn?.document === document) timer = setTimeout(() => drawNow(document), isLong ? WAIT_LONG_MS : WAIT_MS);
  else if (!isLong) drawNow(document);
  else {
    // Its text is shown first.
    forgetDrawn();
    requestAnimationFrame(() => (timer = setTimeout(() => document === current.peek() && drawNow(document))));
  }
}

/** Draws a document now, unless it is drawn as it is. */
export function drawNow(document: OpenDocument): void {
  clearTimeout(timer);
  if (!body || (drawn?.document === document && drawn.text === document.state.doc)) return;
  const isOther = drawn?.document !== document;
  if (isOther) forgetAbsent();
  const whole = document.state.doc.toString();
  const { made, headings: found, matter } = renderMarkdown(whole);
  const fragment = makeFragment(made, {
    folder: folderOf(document.path),
    image: showImage,
    onTask: document.read.isEditable ? (line, isDone) => tick(document, line, isDone) : undefined,
  });
  if (matter.trim()) {
    const shown = window.document.createElement("pre");
    shown.className = "front-matter";
    shown.textContent = matter.trimEnd().split("\n").map(visible).join("\n");
    fragment.prepend(shown);
  }
  body.replaceChildren(fragment);
  headings.value = found;
  wordCount.value = whole.match(/[\p{L}\p{N}]+(?:['’.-][\p{L}\p{N}]+)*/gu)?.length ?? 0;
  drawn = { document, text: document.state.doc };
  if (isOther && pane) pane.scrollTop = 0;
}

/** Ticks a task, unless its line may be another one since it was drawn. */
function tick(document: OpenDocument, line: number, isDone: boolean): void {
  if (drawn?.document === document && drawn.text === document.state.doc) setTaskDone(line, isDone);
  else drawNow(document);
}

export function forgetDrawn(): void {
  clearTimeout(timer);
  drawn = null;
  headings.value = [];
  body?.replaceChildren();
}

/** Shows a heading, or another named place, of the preview; returns whether there is one. */
export function showPlace(id: string): boolean {
  const found = window.document.getElementById(`${ID_PREFIX}${id}`) ?? window.document.getElementById(`${ID_PREFIX}${id.toLowerCase()}`);
  if (!found || !body?.contains(found)) return false;
  leader = "preview";
  found.scrollIntoView({ block: "start" });
  return true;
}

export function showLine(line: number): void {
  if (!pane || !body) return;
  leader = "text";
  pane.scrollTop = topOfLine(line);
}

interface Mark {
  readonly line: number;
  readonly top: number;
}

function marks(): Mark[] {
  if (!pane || !body) return [];
  const offset = pane.getBoundingClientRect().top - pane.scrollTop;
  const found: Mark[] = [{ line: 0, top: 0 }];
  for (const one of body.querySelectorAll<HTMLElement>("[data-line]")) {
    const mark = { line: Number(one.dataset["line"]), top: one.getBoundingClientRect().top - offset };
    const last = found.at(-1)!;
    if (mark.line > last.line && mark.top >= last.top) found.push(mark);
  }
  return found;
}

function topOfLine(line: number): number {
  const all = marks();
  const next = all.findIndex((one) => one.line > line);
  if (next < 0) return all.at(-1)?.top ?? 0;
  const [before, after] = [all[next - 1] ?? { line: 0, top: 0 }, all[next]!];
  return before.top + ((line - before.line) / (after.line - before.line)) * (after.top - before.top);
}

/** Scrolls the preview to where the text is. */
export function scrollPreview(): void {
  const view = editorView();
  if (!view || !pane || leader !== "text" || mode.peek() !== "split") return;
  const { scrollTop, scrollHeight, clientHeight } = view.scrollDOM;
  if (scrollTop <= PADDING) pane.scrollTop = 0;
  else if (scrollTop + clientHeight >= scrollHeight - 2) pane.scrollTop = pane.scrollHeight;
  else {
    const block = view.lineBlockAtHeight(scrollTop);
    const line = view.state.doc.lineAt(block.from).number - 1;
    pane.scrollTop = topOfLine(line + (scrollTop - block.top) / Math.max(block.height, 1));
  }
}

function scrollText(): void {
  const view = editorView();
  if (!view || !pane || mode.peek() !== "split") return;
  const all = marks();
  const { scrollTop } = pane;
  const next = all.findIndex((one) => one.top > scrollTop);
  const before = all[next < 0 ? all.length - 1 : Math.max(next - 1, 0)]!;
  const after = next < 0 ? null : all[next]!;
  const part = after && after.top > before.top ? (scrollTop - before.top) / (after.top - before.top) : 0;
  const line = before.line + part * ((after?.line ?? before.line) - before.line);
  const block = view.lineBlockAt(view.state.doc.line(Math.min(Math.floor(line) + 1, view.state.doc.lines)).from);
  view.scrollDOM.scrollTop = scrollTop <= 0 ? 0 : block.top + (line - Math.floor(line)) * block.height;
}

