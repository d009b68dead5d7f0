/** The one editor of the page: it shows the document that is worked on, and keeps each document's own undo. */
import { isolateHistory } from "@codemirror/commands";
import { EditorSelection, type StateCommand } from "@codemirror/state";
import { EditorView } from "@codemirror/view";
import { decodeBytes } from "../model/bytes";
import { replacing } from "../opening";
import { cursorLine, type OpenDocument, touch } from "../state";
import { setLineEnds } from "./lineEnds";
import { listening, makeState, nameEffect } from "./setup";

let view: EditorView | null = null;
let shown: OpenDocument | null = null;

/** Called after each change of a document's text. */
export const changed: { current: (document: OpenDocument) => void } = { current: () => undefined };
/** Called when the text is scrolled. */
export const scrolled: { current: () => void } = { current: () => undefined };

/** Builds the editor in an element; the shadow keeps its style apart, which the page's policy asks for. */
export function mountEditor(host: HTMLElement): () => void {
  const root = host.shadowRoot ?? host.attachShadow({ mode: "open" });
  const inner = document.createElement("div");
  root.append(inner);
  // The height comes from here: a style of the page does not reach into the shadow.
  inner.style.height = "100%";
  view = new EditorView({ parent: inner, root });
  const onFocus = (event: FocusEvent) => event.target === host && view?.focus();
  host.addEventListener("focus", onFocus);
  view.scrollDOM.addEventListener("scroll", () => scrolled.current(), { passive: true });
  return () => {
    host.removeEventListener("focus", onFocus);
    view?.destroy();
    view = null;
    shown = null;
    inner.remove();
  };
}

listening.onChange = (from, isText) => {
  if (!shown || from !== view) return;
  shown.state = from.state;
  cursorLine.value = from.state.doc.lineAt(from.state.selection.main.head).number - 1;
  touch();
  if (isText) changed.current(shown);
};

/** Shows a document, at the place where it was left. */
export function showInEditor(document: OpenDocument | null): void {
  if (!view || document === shown) return;
  if (shown) shown.scrollTop = view.scrollDOM.scrollTop;
  shown = document;
  if (!document) return;
  view.setState(document.state);
  cursorLine.value = document.state.doc.lineAt(document.state.selection.main.head).number - 1;
  const top = document.scrollTop;
  requestAnimationFrame(() => {
    if (view && shown === document) view.scrollDOM.scrollTop = top;
  });
}

export function focusEditor(): void {
  view?.focus();
}

export function editorView(): EditorView | null {
  return view;
}

/** Runs a command of the editor, and gives it the focus. */
export function runInEditor(command: StateCommand | ((target: EditorView) => boolean)): void {
  if (!view || !shown) return;
  view.focus();
  command(view);
}

/** Takes the cursor to a line, counted from 0. */
export function goToLine(line: number, takesFocus = true): void {
  if (!view || !shown) return;
  const at = view.state.doc.line(Math.min(line + 1, view.state.doc.lines)).from;
  view.dispatch({ selection: EditorSelection.cursor(at), effects: EditorView.scrollIntoView(at, { y: "start", yMargin: 8 }) });
  if (takesFocus) view.focus();
}

/** Writes text in the document, with what then is selected; as one step of undo. */
export function writeInEditor(from: number, to: number, insert: string, selected?: number): void {
  if (!view || view.state.readOnly) return;
  view.dispatch({ changes: { from, to, insert }, ...(selected === undefined ? {} : { selection: { anchor: selected } }), userEvent: "input", scrollIntoView: selected !== undefined });
}

/** Ticks a task, or takes the tick away. */
export function setTaskDone(line: number, isDone: boolean): void {
  if (!view || line >= view.state.doc.lines) return;
  const { from, text } = view.state.doc.line(line + 1);
  const at = text.search(/\[[ xX]\]/);
  if (at >= 0) writeInEditor(from + at + 1, from + at + 2, isDone ? "x" : " ");
}

/** Gives a document another version of its text, so that undo brings back the one before. */
replacing.current = (document, disk) => {
  const read = decodeBytes(disk.bytes);
  if (read.isEditable === document.read.isEditable) {
    const { state } = document;
    const length = read.text.length;
    const { anchor, head } = state.selection.main;
    const spec = {
      changes: { from: 0, to: state.doc.length, insert: state.toText(read.text) },
      selection: { anchor: Math.min(anchor, length), head: Math.min(head, length) },
      effects: setLineEnds(read.odd),
      annotations: isolateHistory.of("full" as const),
    };
    if (document === shown && view) {
      view.dispatch(spec);
      document.state = view.state;
    } else document.state = state.update(spec).state;
  } else {
    document.state = makeState(document.path, read);
    if (document === shown) view?.setState(document.state);
  }
  document.read = read;
  document.saved = document.state;
};

/** Tells the editor that a document has another path now. */
export function renameInEditor(document: OpenDocument): void {
  const effects = nameEffect(document.path);
  if (document === shown && view) {
    view.dispatch({ effects });
    document.state = view.state;
  } else document.state = document.state.update({ effects }).state;
}
