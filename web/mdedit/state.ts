/** What the page shows: the files of a place, the documents that are open, and which of them is worked on. */
import type { EditorState } from "@codemirror/state";
import { batch, computed, signal, type Signal } from "@preact/signals";
import type { Entry, Place } from "../shared/files";
import { splitPath } from "../shared/files/place";
import { fragment, setFragment } from "../shared/shell";
import { isSameDocument, oddEndsOf } from "./editor/lineEnds";
import { type Decoded, encodeText } from "./model/bytes";
import type { Heading } from "./preview/render";

export const place: Signal<Place | null> = signal(null);
export const entries: Signal<readonly Entry[]> = signal([]);
export const reading: Signal<number | null> = signal(null);

/** What is known of a file as it is on the disk. */
export interface OnDisk {
  readonly bytes: Uint8Array;
  readonly modified: number;
}

/** A document that is open. Its text, with all undo, is an editor's state. */
export interface OpenDocument {
  path: string;
  state: EditorState;
  /** As it was when it was read or saved; what is not saved is what differs from it. */
  saved: EditorState;
  /** Null for a new document. */
  disk: OnDisk | null;
  read: Decoded;
  /** When it was saved here. */
  savedAt: number | null;
  /** Whether the disk has another version, as far as the page has looked. */
  isChangedElsewhere: boolean;
  /** Text that an earlier visit did not save. */
  draft: { readonly text: string; readonly time: number; readonly isMoved: boolean } | null;
  scrollTop: number;
}

export const documents: Signal<ReadonlyMap<string, OpenDocument>> = signal(new Map());
/** Counts the changes of any document: what shows them looks again. */
export const version: Signal<number> = signal(0);
export const headings: Signal<readonly Heading[]> = signal([]);
/** Of the document that is drawn. */
export const wordCount: Signal<number> = signal(0);
/** The line that the cursor is in, counted from 0. */
export const cursorLine: Signal<number> = signal(0);

export const MODES = ["edit", "split", "preview"] as const;
export type Mode = (typeof MODES)[number];

const isNarrow = signal(false);
if (typeof matchMedia === "function") {
  const narrow = matchMedia("(max-width: 800px)");
  isNarrow.value = narrow.matches;
  narrow.addEventListener("change", () => (isNarrow.value = narrow.matches));
}

export const mode = computed<Mode>(() => {
  const wanted = MODES.find((one) => one === fragment.value.get("view"));
  return wanted === "split" && isNarrow.value ? "edit" : (wanted ?? (isNarrow.value ? "edit" : "split"));
});
export const filter = computed(() => fragment.value.get("q") ?? "");
export const currentPath = computed(() => fragment.value.get("file") ?? "");
export const current = computed<OpenDocument | null>(() => documents.value.get(currentPath.value) ?? null);

export function isUnsaved(document: OpenDocument): boolean {
  return document.read.isEditable && (document.disk === null || !isSameDocument(document.state, document.saved));
}

export const unsaved = computed<readonly OpenDocument[]>(() => {
  void version.value;
  return [...documents.value.values()].filter(isUnsaved);
});

/** Returns the bytes that a document would be saved as. */
export function bytesOf({ state, read }: OpenDocument): Uint8Array<ArrayBuffer> {
  return encodeText(state.doc.toString(), { hasMark: read.hasMark, lineEnd: read.lineEnd, odd: oddEndsOf(state) });
}

export function showDocument(document: OpenDocument): void {
  batch(() => {
    documents.value = new Map(documents.peek()).set(document.path, document);
    version.value += 1;
    setFragment({ file: document.path });
  });
}

export function forgetDocument(document: OpenDocument): void {
  const left = new Map(documents.peek());
  left.delete(document.path);
  batch(() => {
    documents.value = left;
    version.value += 1;
    if (currentPath.peek() === document.path) setFragment({ file: [...left.keys()].at(-1) ?? null });
  });
}

/** Gives an open document another path. */
export function moveDocument(document: OpenDocument, path: string): void {
  const wasCurrent = currentPath.peek() === document.path;
  const moved = [...documents.peek()].map(([its, one]) => (one === document ? ([path, one] as const) : ([its, one] as const)));
  document.path = path;
  batch(() => {
    documents.value = new Map(moved);
    version.value += 1;
    if (wasCurrent) setFragment({ file: path });
  });
}

export function touch(): void {
  version.value += 1;
}

/** Adds files that were written to the list, so that it need not be read again. */
export function addEntry(path: string): void {
  if (entries.peek().some((one) => one.path === path)) return;
  const [folder, name] = splitPath(path);
  const added: Entry[] = [{ path, name, folder, isFolder: false }];
  for (let above = folder; above; [above] = splitPath(above)) {
    if (entries.peek().some((one) => one.path === above)) break;
    const [upper, its] = splitPath(above);
    added.push({ path: above, name: its, folder: upper, isFolder: true });
  }
  entries.value = [...entries.peek(), ...added];
}

export { folderOf, joinPath, nameOf } from "../shared/files/place";
