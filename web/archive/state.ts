/** What is open, what is shown of it, and what is selected; every screen reads and changes it here. */
import { computed, signal, type ReadonlySignal, type Signal } from "@preact/signals";
import { isPlainName, type Place } from "../shared/files/place";
import { rightOpen } from "../shared/folderShell";
import { fragment, pushFragment, setFragment } from "../shared/shell";
import type { Archive, FileRow, Grouping, Kind } from "./model/types";

export type ScreenId = "register" | "files" | "transmittals" | "findings" | "expected" | "due" | "compare" | "check" | "hand-in";
export const SCREENS: readonly ScreenId[] = [
  "register", "files", "transmittals", "findings", "expected", "due", "compare", "check", "hand-in",
];

/** Where the files come from; null while nothing is open. */
export const place: Signal<Place | null> = signal(null);
/** All that is known of the files; it grows while a folder is read, each time as a new value. */
export const archive: Signal<Archive | null> = signal(null);
/** The selected files, by their id in `archive.files`. */
export const chosen: Signal<ReadonlySet<number>> = signal(new Set());

/** What goes on in the background, for the line above the screen. */
export interface Running {
  readonly label: string;
  /** From 0 to 1; absent where the end is not known. */
  readonly part?: number;
  stop(): void;
}
export const running: Signal<Running | null> = signal(null);

/** What the person must do something about, above the screen; the page goes on to work below it. */
export interface Banner {
  readonly kind: "permission" | "signedOut" | "note";
  readonly message: string;
  readonly label?: string;
  run?(): void | Promise<void>;
}
export const banner: Signal<Banner | null> = signal(null);

const parameter = (name: string): ReadonlySignal<string> => computed(() => fragment.value.get(name) ?? "");
const listed = (name: string): ReadonlySignal<ReadonlySet<string> | null> => {
  const text = parameter(name);
  // Of the text alone, so that another change of the address is no change of the choice.
  return computed(() => (text.value ? new Set(text.value.split(",").map(unescape)) : null));
};

export const screen: ReadonlySignal<ScreenId> = computed(() => {
  const named = fragment.value.get("view") as ScreenId | null;
  return named && SCREENS.includes(named) ? named : "register";
});
/** The filter as it was typed. */
export const query = parameter("q");
export const currentOnly: ReadonlySignal<boolean> = computed(() => fragment.value.get("current") === "1");
export const chosenOnly: ReadonlySignal<boolean> = computed(() => fragment.value.get("selected") === "1");
/** The choices on the left; null is all. In the address, "-" stands for what has none. */
export const parties = listed("party");
export const extensions = listed("type");
export const kinds = listed("kind") as ReadonlySignal<ReadonlySet<Kind> | null>;
export const modifiers = listed("mod");
export const grouping: ReadonlySignal<Grouping> = computed(() => {
  const named = fragment.value.get("group");
  return named === "party" || named === "discipline" ? named : "";
});
/** The tracking number of the document on the right; empty for none. */
export const openedDocument = parameter("doc");
/** The path of the file in the preview; empty for none. */
export const openedFile = parameter("file");

/** A value of a list in the address: "-" for nothing, and commas escaped. */
function unescape(text: string): string {
  return text === "-" ? "" : text.replaceAll("%2C", ",").replaceAll("%2D", "-").replaceAll("%25", "%");
}

export function escapeListed(text: string): string {
  if (text === "") return "-";
  const escaped = text.replaceAll("%", "%25").replaceAll(",", "%2C");
  return escaped === "-" ? "%2D" : escaped;
}

/** Take back all choices on the left. */
export function clearChoices(): void {
  setFragment({ party: null, type: null, kind: null, mod: null, current: null, selected: null });
}

/** Show a screen; the view before is one step back in the browser. */
export function goTo(id: ScreenId, changes: Readonly<Record<string, string | null>> = {}): void {
  pushFragment({ ...changes, view: id === "register" ? null : id });
}

/** Show a document on the right, and one of its files in the preview. */
export function openDocument(trackingNumber: string, path = ""): void {
  (openedDocument.peek() ? setFragment : pushFragment)({ doc: trackingNumber, file: path || null });
  rightOpen.value = true;
}

/** Show a file on the right, with its document where it has one. */
export function openFile(file: Pick<FileRow, "path" | "tracking_number" | "valid">): void {
  (openedFile.peek() ? setFragment : pushFragment)({ doc: file.valid ? file.tracking_number : null, file: file.path });
  rightOpen.value = true;
}

/** Add files to the selection, or take them out of it. */
export function choose(files: Iterable<number>, on: boolean): void {
  const next = new Set(chosen.peek());
  for (const id of files) {
    if (on) next.add(id);
    else next.delete(id);
  }
  chosen.value = next;
}

/** Take over an archive that was built anew: what was selected stays selected where it is still there. */
export function replaceArchive(next: Archive): void {
  const before = archive.peek();
  if (before && chosen.peek().size) {
    const paths = new Set([...chosen.peek()].map((id) => before.files[id]!.path));
    chosen.value = new Set(next.files.filter((file) => paths.has(file.path)).map((file) => file.id));
  }
  archive.value = next;
}

/** The folder of a server that the page is to show: named in the address, else the one that the page lies in. */
export function servedFolder(address: Location | URL, parameters: URLSearchParams): string {
  const at = parameters.get("at");
  if (at?.startsWith("/") && !at.startsWith("//") && at.split("/").slice(1, -1).every(isPlainName)) {
    return new URL(at.split("/").map(encodeURIComponent).join("/"), address.origin).href;
  }
  const folder = new URL(".", address.href);
  // The tools lie in a folder of their own, which has no documents.
  return folder.pathname === "/_tools/" ? new URL("/", folder).href : folder.href;
}
