/** The Markdown editor: writes documents in the archive, and changes nothing that is not typed. */
import { computed, effect } from "@preact/signals";
import "../shared/folder.css";
import "./style.css";
import { mountFolderShell } from "../shared/folderShell";
import { afterDrawing } from "../shared/regions";
import { type Action, formatDate, isDialogOpen, setFragment } from "../shared/shell";
import { closeDocument, revertDocument } from "./closing";
import { keepSoon } from "./drafting";
import { toggleLineStart, toggleMarks, insertLink, toggleMatterFold, matterOf } from "./editor/markdown";
import { changed, editorView, focusEditor, runInEditor } from "./editor/view";
import { exportHtml } from "./exporting";
import { issuedName, nextDraftName } from "./model/names";
import { formatTable } from "./model/table";
import { drop, lookAgain, openServed, pick, readPlace } from "./opening";
import { drawNow, drawSoon } from "./preview/pane";
import { downloadDocument, saveAll, saveCurrent, saveUnder } from "./saving";
import { openDifferences } from "./screens/differences";
import { openNew, openQuick, openSaveAs } from "./screens/dialogs";
import { Left, Search } from "./screens/left";
import { Middle } from "./screens/middle";
import { current, folderOf, mode, nameOf, type OpenDocument, place, unsaved, version } from "./state";
import { text } from "./text";

const withDocument = (act: (document: OpenDocument) => void | Promise<void>) => () => {
  const document = current.peek();
  if (document) return act(document);
};
const hasDocument = computed(() => current.value !== null);
const isEditable = computed(() => current.value?.read.isEditable ?? false);
const hasPlace = computed(() => place.value !== null);
const today = () => formatDate(Date.now());

/** From text to both to preview, or on a narrow window from text to preview. */
function changeMode(): void {
  const next = mode.peek() === "preview" ? "edit" : mode.peek() === "split" || innerWidth <= 800 ? "preview" : "split";
  setFragment({ view: next });
  if (next === "preview") document.querySelector<HTMLElement>(".preview-pane")?.focus();
  else afterDrawing(focusEditor);
}

function insertTable(): void {
  const view = editorView();
  if (!view || view.state.readOnly) return;
  const { from, to } = view.state.selection.main;
  const line = view.state.doc.lineAt(from);
  const before = line.text.trim() ? "\n\n" : "";
  const insert = before + formatTable([text.inserted.heads, ["", ""]]);
  view.dispatch({ changes: { from: before ? line.to : from, to: before ? line.to : to, insert }, userEvent: "input", scrollIntoView: true });
  view.focus();
}

const actions: readonly Action[] = [
  { id: "open", label: text.actions.open, keys: "Ctrl O", run: pick, inBar: "plain" },
  { id: "save", label: text.actions.save, keys: "Ctrl S", run: withDocument(saveCurrent), enabled: isEditable, inBar: "primary" },
  { id: "save-all", label: text.actions.saveAll, keys: "Ctrl Shift S", run: saveAll, enabled: hasPlace },
  { id: "quick", label: text.actions.openQuick, keys: "Ctrl P", run: openQuick, enabled: hasPlace },
  { id: "new", label: text.actions.new, keys: "Alt N", run: () => openNew(folderOf(current.peek()?.path ?? "")), enabled: hasPlace, inBar: "plain" },
  { id: "save-as", label: text.actions.saveAs, keys: "Ctrl Alt S", run: withDocument(openSaveAs), enabled: isEditable },
  {
    id: "next-draft",
    label: text.actions.nextDraft,
    run: withDocument(async (document) => {
      const name = nextDraftName(nameOf(document.path), today());
      if (name) await saveUnder(document, name);
    }),
    enabled: computed(() => nextDraftName(nameOf(current.value?.path ?? ""), today()) !== null),
  },
  {
    id: "issue",
    label: text.actions.issue,
    run: withDocument(async (document) => {
      const name = issuedName(nameOf(document.path));
      if (name) await saveUnder(document, name);
    }),
    enabled: computed(() => issuedName(nameOf(current.value?.path ?? "")) !== null),
  },
  { id: "preview", label: text.actions.preview, keys: "Ctrl Enter", run: changeMode, enabled: hasDocument },
  { id: "differences", label: text.actions.differences, keys: "Ctrl Shift D", run: withDocument(openDifferences), enabled: hasDocument },
  { id: "revert", label: text.actions.revert, run: withDocument(revertDocument), enabled: computed(() => unsaved.value.some((one) => one === current.value && one.disk)) },
  { id: "matter", label: text.actions.frontMatter, keys: "Ctrl Shift M", run: () => runInEditor(toggleMatterFold), enabled: computed(() => (void version.value, current.value !== null && matterOf(current.value.state) !== null)) },
  { id: "bold", label: text.actions.bold, keys: "Ctrl B", run: () => runInEditor(toggleMarks("**")), enabled: isEditable },
  { id: "italic", label: text.actions.italic, keys: "Ctrl I", run: () => runInEditor(toggleMarks("*")), enabled: isEditable },
  { id: "code", label: text.actions.code, keys: "Ctrl E", run: () => runInEditor(toggleMarks("`")), enabled: isEditable },
  { id: "link", label: text.actions.link, keys: "Ctrl Shift K", run: () => runInEditor(insertLink), enabled: isEditable },
  { id: "task", label: text.actions.task, keys: "Ctrl Shift X", run: () => runInEditor(toggleLineStart("- [ ] ", /^[ \t]*[-*+] \[[ xX]\] /)), enabled: isEditable },
  { id: "table", label: text.actions.table, run: insertTable, enabled: isEditable },
  { id: "download", label: text.actions.download, run: withDocument(downloadDocument), enabled: hasDocument },
  { id: "export", label: text.actions.exportHtml, run: withDocument(exportHtml), enabled: hasDocument },
  { id: "reread", label: text.actions.reread, run: readPlace, enabled: hasPlace },
  { id: "close", label: text.actions.close, keys: "Alt W", run: withDocument(closeDocument), enabled: hasDocument },
  { id: "editor", label: text.actions.editor, run: focusEditor, enabled: hasDocument },
];

changed.current = (document) => {
  drawSoon(document);
  keepSoon(document);
};

// What others wrote meanwhile is looked at when the person comes back.
addEventListener("focus", () => {
  const document = current.peek();
  if (document && !isDialogOpen()) void lookAgain(document);
});
effect(() => {
  const document = current.value;
  if (document) void lookAgain(document);
});

addEventListener("drop", (event) => {
  event.preventDefault();
  void drop(event);
});

addEventListener("beforeunload", (event) => {
  if (unsaved.peek().length) event.preventDefault();
});

// Printed is the preview, also where only the text is shown.
addEventListener("beforeprint", withDocument(drawNow));

mountFolderShell({
  id: "mdedit",
  title: text.title,
  actions,
  place,
  search: Search,
  left: Left,
  middle: Middle,
  labels: { left: text.files, middle: text.document },
  keys: text.keyNotes.map(([keys, does]) => ({ keys, does })),
});
void openServed();
