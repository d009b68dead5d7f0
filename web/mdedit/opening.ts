/** Opens places and documents. */
import { canPick, type Entry, fromDrop, fromInput, fromPicker, fromServer, type Place } from "../shared/files";
import { PlaceError, reasonOf } from "../shared/files/place";
import { isServed } from "../shared/served";
import { addProblem, askConfirm, clearProblems, formatSize, fragment, setFragment, showToast, status } from "../shared/shell";
import { servedFolder } from "../archive/state";
import { findDraft, forgetDraft } from "./drafts";
import { makeState } from "./editor/setup";
import { decodeBytes, isSame } from "./model/bytes";
import { isMarkdown } from "./model/names";
import { currentPath, documents, entries, isUnsaved, nameOf, type OnDisk, type OpenDocument, place, reading, showDocument, touch, unsaved } from "./state";
import { text } from "./text";

/** Beyond this, a document is none that a person wrote. */
const LARGEST = 10_000_000;

let reader: AbortController | null = null;

/** Reads a place and shows its documents; those that were open before are closed. */
export async function openPlace(next: Place): Promise<void> {
  const left = unsaved.peek().length;
  if (left && !(await askConfirm(text.discard.place, text.discard.placeQuestion(left), text.discard.placeYes))) return;
  const hadPlace = place.peek() !== null;
  documents.value = new Map();
  clearProblems();
  entries.value = [];
  place.value = next;
  if (hadPlace) setFragment({ file: null, q: null });
  await readPlace();
  // Another one may have been opened while this one was read.
  if (place.peek() === next) await openAsked();
}

/** Reads the list of files; documents that are open stay so. */
export async function readPlace(): Promise<void> {
  const from = place.peek();
  if (!from) return;
  reader?.abort();
  const mine = new AbortController();
  reader = mine;
  reading.value = 0;
  const found: Entry[] = [];
  try {
    for await (const batch of from.batches({ signal: mine.signal, onProblem: addProblem })) {
      mine.signal.throwIfAborted();
      for (const entry of batch) found.push(entry);
      reading.value = found.length;
      // The first documents can be chosen while the rest is read.
      if (found.length < 2_000) entries.value = found.slice();
    }
    mine.signal.throwIfAborted();
    entries.value = found;
    status.value = text.read(found.filter((one) => !one.isFolder && isMarkdown(one.name)).length);
  } catch (error) {
    if (!mine.signal.aborted) addProblem(from.name, reasonOf(error));
  } finally {
    if (reader === mine) reading.value = null;
  }
}

/** Opens the document that the address names, or the only one that there is. */
async function openAsked(): Promise<void> {
  const asked = currentPath.peek();
  const all = entries.peek().filter((one) => !one.isFolder && isMarkdown(one.name));
  if (asked) {
    setFragment({ file: null });
    if (entries.peek().some((one) => one.path === asked)) await openDocument(asked);
    else addProblem(asked, text.link.absent(asked));
  } else if (all.length === 1) await openDocument(all[0]!.path);
}

export async function readDisk(path: string, from: Place): Promise<OnDisk> {
  const file = await from.open(path);
  if (file.size > LARGEST) throw new PlaceError("refused", text.encoding.large(formatSize(LARGEST)));
  return { bytes: new Uint8Array(await file.arrayBuffer()), modified: file.lastModified };
}

/** Shows a document, which is read where it is not open yet. */
export async function openDocument(path: string): Promise<OpenDocument | null> {
  const known = documents.peek().get(path);
  if (known) {
    setFragment({ file: path });
    return known;
  }
  const from = place.peek();
  if (!from) return null;
  try {
    const opened = documentOf(path, await readDisk(path, from));
    const draft = opened.read.isEditable ? await findDraft(path) : null;
    if (place.peek() !== from) return null;
    if (draft && draft.text !== opened.read.text) opened.draft = { text: draft.text, time: draft.time, isMoved: draft.base !== opened.read.text };
    else if (draft) await forgetDraft(path);
    // It may have been opened twice at once.
    const meanwhile = documents.peek().get(path);
    if (!meanwhile) showDocument(opened);
    return meanwhile ?? opened;
  } catch (error) {
    addProblem(path, text.notRead(reasonOf(error)));
    return null;
  }
}

function documentOf(path: string, disk: OnDisk | null, written = ""): OpenDocument {
  const read = disk ? decodeBytes(disk.bytes) : decodeBytes(new TextEncoder().encode(written));
  const state = makeState(path, read);
  return { path, state, saved: state, disk, read, savedAt: null, isChangedElsewhere: false, draft: null, scrollTop: 0 };
}

/** Begins a document that is nowhere yet. */
export function newDocument(path: string, written: string): void {
  showDocument(documentOf(path, null, written));
}

/** Looks whether the document was changed elsewhere: shows it anew where nothing is lost by that, else says so. */
export async function lookAgain(document: OpenDocument): Promise<void> {
  const from = place.peek();
  const before = document.disk;
  if (!before || from?.kind !== "local") return;
  let disk: OnDisk;
  try {
    disk = await readDisk(document.path, from);
  } catch {
    return; // it is told when the document is saved
  }
  // What was read before a save that ended meanwhile is no news.
  if (documents.peek().get(document.path) !== document || document.disk !== before || isSame(disk.bytes, before.bytes)) return;
  if (isUnsaved(document) || !decodeBytes(disk.bytes).isEditable) {
    document.isChangedElsewhere = true;
    touch();
    return;
  }
  takeVersion(document, disk);
  showToast(text.reloaded(nameOf(document.path)));
}

/** Called with the document and the version that its editor is to show; set by the editor, which can do it undoably. */
export const replacing: { current: (document: OpenDocument, disk: OnDisk) => void } = { current: () => undefined };

export function takeVersion(document: OpenDocument, disk: OnDisk): void {
  replacing.current(document, disk);
  document.disk = disk;
  document.isChangedElsewhere = false;
  touch();
}

export async function pick(): Promise<void> {
  if (!canPick()) {
    const input = window.document.createElement("input");
    input.type = "file";
    input.multiple = true;
    input.accept = ".md,.markdown,.txt,image/*";
    input.addEventListener("change", () => void (input.files?.length && openPlace(fromInput(input.files))));
    input.click();
    return;
  }
  const picked = await fromPicker();
  if (picked) await openPlace(picked);
}

export async function drop(event: DragEvent): Promise<void> {
  const dropped = await fromDrop(event);
  if (dropped) await openPlace(dropped);
}

/** Opens the folder of the server that the page came from. */
export async function openServed(): Promise<void> {
  if (isServed()) await openPlace(fromServer(servedFolder(location, fragment.peek())));
}

