/** Keeps text that is not saved yet, and brings it back. */
import { keepDraft, forgetDraft, keepsDrafts } from "./drafts";
import { editorView, focusEditor, writeInEditor } from "./editor/view";
import { documents, isUnsaved, type OpenDocument, touch } from "./state";

const WAIT_MS = 500;
const waiting = new Map<OpenDocument, ReturnType<typeof setTimeout>>();

/** Keeps the text of a document, soon. */
export function keepSoon(document: OpenDocument): void {
  if (!keepsDrafts()) return;
  clearTimeout(waiting.get(document));
  waiting.set(document, setTimeout(() => void keepNow(document), WAIT_MS));
}

async function keepNow(document: OpenDocument): Promise<void> {
  waiting.delete(document);
  // Closed without saving, or of a folder that is not open any more: another one may have a document of its path.
  if (documents.peek().get(document.path) !== document) return;
  if (isUnsaved(document)) await keepDraft(document.path, document.state.doc.toString(), document.saved.doc.toString());
  else await forgetDraft(document.path);
}

/** Puts the text of the draft in place of the text; undo takes it back. What both have alike keeps its line ends. */
export function restoreDraft(document: OpenDocument): void {
  const view = editorView();
  if (!document.draft || !view) return;
  const { text } = document.draft;
  const before = view.state.doc.toString();
  const shorter = Math.min(before.length, text.length);
  let start = 0;
  while (start < shorter && before[start] === text[start]) start += 1;
  let end = 0;
  while (end < shorter - start && before.at(-1 - end) === text.at(-1 - end)) end += 1;
  document.draft = null;
  writeInEditor(start, before.length - end, text.slice(start, text.length - end), 0);
  touch();
  focusEditor();
}

export function dropDraft(document: OpenDocument): void {
  document.draft = null;
  void forgetDraft(document.path);
  touch();
  focusEditor();
}
