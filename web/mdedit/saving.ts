/** Saves documents: each is compared with the disk before; that it is there after, the place that writes it makes sure. */
import { PlaceError, joinPath, reasonOf, type Place } from "../shared/files/place";
import { refreshPlace } from "../shared/folderShell";
import { addProblem, formatTime, setFragment, showToast } from "../shared/shell";
import { download } from "../shared/save";
import { forgetDraft } from "./drafts";
import { renameInEditor } from "./editor/view";
import { isSame } from "./model/bytes";
import { nameWithNote } from "./model/names";
import { newDocument, readDisk, takeVersion } from "./opening";
import { addEntry, bytesOf, documents, entries, folderOf, isUnsaved, moveDocument, nameOf, type OnDisk, type OpenDocument, place, touch, unsaved } from "./state";
import { text } from "./text";

export type Answer = "mine" | "theirs" | "cancel";

/** Asks what is to become of two versions; null is a document that is gone. Set by the dialog. */
export const asking: { current: (document: OpenDocument, theirs: OnDisk | null) => Promise<Answer> } = {
  current: async () => "cancel",
};

const inWork = new Set<OpenDocument>();

/** Whether files can be written in a place; asks the person, once a visit. */
export async function mayWrite(to: Place): Promise<boolean> {
  if (!to.write) return false;
  if (to.canWrite) return true;
  const isAllowed = (await to.askToWrite?.()) ?? false;
  refreshPlace();
  return isAllowed;
}

/** Does one thing after the other with a document, in the place that it is of; returns whether it was done. */
async function alone(document: OpenDocument, path: string, act: (to: Place) => Promise<boolean>): Promise<boolean> {
  const to = place.peek();
  // It may have been closed, and another folder opened, while others were saved.
  if (!to || documents.peek().get(document.path) !== document) return false;
  if (inWork.has(document)) {
    showToast(text.busy);
    return false;
  }
  inWork.add(document);
  try {
    if (!(await mayWrite(to))) throw new PlaceError("permission", text.notAllowed);
    return await act(to);
  } catch (error) {
    addProblem(path, reasonOf(error));
    return false;
  } finally {
    inWork.delete(document);
  }
}

/** Saves a document, unless the person decides otherwise; returns whether it is on the disk as it is here. */
export async function saveDocument(document: OpenDocument): Promise<boolean> {
  if (!place.peek()?.write) {
    downloadDocument(document);
    return false;
  }
  return alone(document, document.path, (to) => compareAndWrite(document, to));
}

async function compareAndWrite(document: OpenDocument, to: Place): Promise<boolean> {
  const { disk, path } = document;
  let kept: string | null = null;
  if (disk) {
    const theirs = await readOrNull(path, to);
    if (!theirs || !isSame(theirs.bytes, disk.bytes)) {
      const answer = await asking.current(document, theirs);
      if (answer === "cancel") {
        document.isChangedElsewhere = theirs !== null;
        touch();
        return false;
      }
      if (answer === "theirs" && theirs) {
        takeVersion(document, theirs);
        showToast(text.tookTheirs);
        return true;
      }
      // While the person decided, it may have been changed once more.
      if (theirs) kept = await keepBeside(path, (await readOrNull(path, to)) ?? theirs, to);
    }
  }
  const { state } = document;
  const bytes = bytesOf(document);
  await to.write!(path, new Blob([bytes]), { mustNotExist: disk === null });
  document.disk = { bytes, modified: Date.now() };
  document.saved = state;
  document.savedAt = Date.now();
  document.isChangedElsewhere = false;
  showToast(kept ? text.keptBoth(kept) : text.saved(nameOf(path)));
  if (place.peek() !== to) return true;
  addEntry(path);
  touch();
  // What was typed meanwhile is kept on.
  if (!isUnsaved(document)) await forgetDraft(path);
  return true;
}

async function readOrNull(path: string, from: Place): Promise<OnDisk | null> {
  try {
    return await readDisk(path, from);
  } catch (error) {
    if (error instanceof PlaceError && error.kind === "absent") return null;
    throw error;
  }
}

/** The name that another version of a document is kept under. */
export function besideName(path: string, theirs: OnDisk): string {
  return nameWithNote(nameOf(path), text.changedHere.note(formatTime(theirs.modified).replace(":", "")));
}

/** Writes another version beside the document, under a name that nothing has; returns the name. */
async function keepBeside(path: string, theirs: OnDisk, to: Place): Promise<string> {
  const name = besideName(path, theirs);
  for (let n = 1; ; n += 1) {
    const its = n === 1 ? name : nameWithNote(name, String(n));
    try {
      await to.write!(joinPath(folderOf(path), its), new Blob([theirs.bytes as Uint8Array<ArrayBuffer>]), { mustNotExist: true });
      if (place.peek() === to) addEntry(joinPath(folderOf(path), its));
      return its;
    } catch (error) {
      if (!(error instanceof PlaceError && error.kind === "exists") || n === 100) throw error;
    }
  }
}

export async function saveAll(): Promise<void> {
  const all = unsaved.peek();
  if (!all.length) {
    showToast(text.nothingToSave);
    return;
  }
  let saved = 0;
  for (const one of all) if (await saveDocument(one)) saved += 1;
  if (saved > 1) showToast(text.savedAll(saved));
}

/** Writes the text of a document under another name beside it; what is on the disk under its own name stays. */
export async function saveUnder(document: OpenDocument, name: string): Promise<boolean> {
  if (!place.peek()?.write) {
    download(name, new Blob([bytesOf(document)]), "text/markdown;charset=utf-8");
    showToast(text.downloaded(name));
    return true;
  }
  const before = document.path;
  const path = joinPath(folderOf(before), name);
  return alone(document, path, async (to) => {
    if (documents.peek().has(path)) throw new PlaceError("exists", text.name.taken(name));
    const { state } = document;
    const bytes = bytesOf(document);
    await to.write!(path, new Blob([bytes]), { mustNotExist: true });
    if (place.peek() !== to) return true;
    // What is typed meanwhile stays in the document, and so does its undo.
    const wasNew = !entries.peek().some((one) => one.path === before);
    addEntry(path);
    document.disk = { bytes, modified: Date.now() };
    document.saved = state;
    document.savedAt = Date.now();
    document.isChangedElsewhere = false;
    moveDocument(document, path);
    renameInEditor(document);
    await forgetDraft(before);
    showToast(wasNew ? text.saved(name) : text.savedAs(name));
    return true;
  });
}

/** Begins a document in a folder; it is written when it is saved first. */
export function createDocument(folder: string, name: string, title: string): void {
  newDocument(joinPath(folder, name), title ? `# ${title}\n\n` : "");
  setFragment({ view: null });
}

export function downloadDocument(document: OpenDocument): void {
  download(nameOf(document.path), new Blob([bytesOf(document)]));
  showToast(text.downloaded(nameOf(document.path)));
}

export function saveCurrent(document: OpenDocument): void {
  if (isUnsaved(document) || !place.peek()?.write) void saveDocument(document);
  else showToast(text.nothingToSave);
}
