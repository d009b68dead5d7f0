/** What is pasted or dropped into the text: ranges of a spreadsheet become tables, images become files beside it. */
import { undo } from "@codemirror/commands";
import type { Extension } from "@codemirror/state";
import { EditorView } from "@codemirror/view";
import { reasonOf, PlaceError, type Place } from "../../shared/files/place";
import { refreshPlace } from "../../shared/folderShell";
import { addProblem, formatSize, formatTime, showToast } from "../../shared/shell";
import { formatLinkPath } from "../model/paths";
import { tableFromRange } from "../model/table";
import { addEntry, folderOf, joinPath, place } from "../state";
import { text } from "../text";
import { pathOf } from "./path";

const LARGEST_IMAGE = 20_000_000;
const EXTENSIONS = new Map([
  ["image/png", "png"],
  ["image/jpeg", "jpg"],
  ["image/gif", "gif"],
  ["image/webp", "webp"],
]);

function onPaste(event: ClipboardEvent, view: EditorView): boolean {
  const data = event.clipboardData;
  if (!data || view.state.readOnly) return false;
  const plain = data.getData("text/plain");
  const table = tableFromRange(plain, /<table\b/i.test(data.getData("text/html")));
  // A spreadsheet puts a picture of the range on the clipboard as well: the table comes first.
  if (table) {
    insertTable(view, table, plain);
    return true;
  }
  const images = imagesOf(data);
  if (!images.length || plain) return false;
  void insertImages(view, images, view.state.selection.main.head);
  return true;
}

function insertTable(view: EditorView, table: string, plain: string): void {
  const { state } = view;
  const { from, to } = state.selection.main;
  const line = state.doc.lineAt(from);
  const isOnItsOwn = !state.sliceDoc(line.from, from).trim();
  const before = isOnItsOwn ? (line.number > 1 && state.doc.line(line.number - 1).text.trim() ? "\n" : "") : "\n\n";
  const after = state.sliceDoc(to, state.doc.lineAt(to).to).trim() ? "\n" : "";
  const insert = `${before}${table}${after}`;
  view.dispatch({
    changes: { from: isOnItsOwn ? line.from : from, to, insert },
    selection: { anchor: (isOnItsOwn ? line.from : from) + insert.length },
    userEvent: "input.paste",
    scrollIntoView: true,
  });
  const shown = view.state;
  showToast(text.pastedTable, () => {
    // Only while nothing else was done: undo would take that back.
    if (view.state.doc.eq(shown.doc)) {
      undo(view);
      view.dispatch(view.state.replaceSelection(plain), { userEvent: "input.paste" });
      showToast(text.pastedPlain);
    }
    view.focus();
  });
}

function imagesOf(data: DataTransfer | null): File[] {
  return [...(data?.files ?? [])].filter((file) => EXTENSIONS.has(file.type));
}

/** Writes images beside the document, in images/, and links to them where the cursor was. */
export async function insertImages(view: EditorView, images: readonly File[], at: number): Promise<void> {
  const to = place.peek();
  const documentPath = view.state.facet(pathOf);
  const folder = joinPath(folderOf(documentPath), "images");
  for (const image of images) {
    try {
      if (!to?.write) throw new PlaceError("refused", text.image.noPlace);
      if (image.size > LARGEST_IMAGE) throw new PlaceError("refused", text.image.tooLarge(formatSize(LARGEST_IMAGE)));
      if (!to.canWrite && !(await to.askToWrite?.())) throw new PlaceError("permission", text.notAllowed);
      refreshPlace();
      const name = await writeNew(to, folder, image);
      if (place.peek() !== to) return;
      addEntry(joinPath(folder, name));
      const alt = name.replace(/\.[^.]+$/, "").replace(/[[\]\\]/g, "");
      const insert = `![${alt}](images/${formatLinkPath(name)})`;
      showToast(text.image.saved(joinPath(folder, name)));
      if (view.state.facet(pathOf) !== documentPath) return;
      const from = Math.min(at, view.state.doc.length);
      view.dispatch({ changes: { from, insert }, selection: { anchor: from + insert.length }, userEvent: "input.paste", scrollIntoView: true });
      at = from + insert.length;
    } catch (error) {
      addProblem(image.name || text.image.alt, reasonOf(error));
    }
  }
}

/** Writes an image under a name that nothing has yet, and returns the name. */
async function writeNew(to: Place, folder: string, image: File): Promise<string> {
  const extension = EXTENSIONS.get(image.type)!;
  // A pasted picture is called "image.png" by every browser, which tells nothing.
  const given = image.name.replace(/\.[^.]*$/, "").replace(/[^\p{L}\p{N} _-]+/gu, "-").replace(/^[-_. ]+|[-. ]+$/g, "").slice(0, 80);
  const stem = given && !/^image$/i.test(given) ? given : `${text.image.named}-${formatTime(Date.now()).replace(/[-:]/g, "").replace(" ", "-")}`;
  for (let n = 1; ; n += 1) {
    const name = `${stem}${n > 1 ? `-${n}` : ""}.${extension}`;
    try {
      await to.write!(joinPath(folder, name), image, { mustNotExist: true });
      return name;
    } catch (error) {
      if (!(error instanceof PlaceError && error.kind === "exists") || n === 1000) throw error;
    }
  }
}

export const takesPastes: Extension = EditorView.domEventHandlers({
  paste: onPaste,
  drop(event, view) {
    const images = imagesOf(event.dataTransfer);
    if (!images.length || images.length !== event.dataTransfer?.files.length || view.state.readOnly) return false;
    event.preventDefault();
    event.stopPropagation(); // the page would open what is dropped
    const at = view.posAtCoords({ x: event.clientX, y: event.clientY }) ?? view.state.selection.main.head;
    void insertImages(view, images, at);
    return true;
  },
});
