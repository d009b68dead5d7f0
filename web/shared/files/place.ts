/** A place with files, what is known of each file, and how a place says that something failed. */

/** A file or a folder. */
export interface Entry {
  /** Names joined by "/", below the place. */
  path: string;
  name: string;
  /** The path without the name; empty for what lies in the place itself. */
  folder: string;
  isFolder: boolean;
  /** In bytes; absent where the place would have to open the file to know. */
  size?: number | undefined;
  /** In milliseconds since 1970. */
  modified?: number | undefined;
  /** 64 hexadecimal digits in lower case, where a list says so. */
  sha256?: string;
}

export interface ListOptions {
  signal?: AbortSignal;
  /** List names that begin with "." or "_" as well, and a zip of a transmittal as the file that it is. */
  everything?: boolean;
  /** Waited for before each folder is read, and each part of a large one: so a page can draw what it has. */
  turn?(): Promise<void> | null;
  /** Called with what could not be listed, and why; the rest is listed all the same. */
  onProblem(path: string, reason: string): void;
}

export interface Place {
  readonly name: string;
  readonly kind: "local" | "server" | "index" | "zip" | "input";
  /** Whether files can be written without asking once more. */
  readonly canWrite: boolean;
  /** The handle of a folder on disk, for what needs more than a place can do. */
  readonly handle?: FileSystemDirectoryHandle | undefined;
  /** Yield every file and folder below the place; names that begin with "." or "_" are passed over. */
  list(options: ListOptions): AsyncIterable<Entry>;
  /** The same, many at once: what shows 100,000 rows takes it. */
  batches(options: ListOptions): AsyncIterable<Entry[]>;
  /** Return a file with its size and time; throws PlaceError. */
  open(path: string): Promise<File>;
  /** Return the text of the index that "zddc index" left in the place, or null. */
  readIndex?(): Promise<string | null>;
  /** Return the address of a file that a browser can open in a tab of its own. */
  address?(path: string): string;
  /** Ask once more for what the person has allowed before; returns whether the place can be read. */
  askToRead?(): Promise<boolean>;
  askToWrite?(): Promise<boolean>;
  /** Write a whole file, read it back and compare; throws PlaceError. */
  write?(path: string, data: Blob | string, options: { mustNotExist: boolean }): Promise<void>;
  /** Give a file another name in its folder; throws PlaceError where the name is taken. */
  rename?(path: string, newName: string): Promise<void>;
  remove?(path: string): Promise<void>;
  makeFolder?(path: string): Promise<void>;
  /** Whether there is a folder of this path, also one that `list` passes over. */
  hasFolder?(path: string): Promise<boolean>;
}

export type PlaceErrorKind =
  "absent" | "exists" | "permission" | "signedOut" | "refused" | "unreadable" | "unwritten" | "format";

/** What a place could not do; the message is a whole sentence for people. */
export class PlaceError extends Error {
  constructor(
    readonly kind: PlaceErrorKind,
    message: string,
  ) {
    super(message);
    this.name = "PlaceError";
  }
}

export const DEEPEST_FOLDER = 32;
export const INDEX_PATH = [".archive", "index.json"] as const;

/** Whether systems and programs keep a name for themselves, so that it is no part of the archive. */
export function isPrivate(name: string): boolean {
  return name.startsWith(".") || name.startsWith("_");
}

/** Whether one name of a path leads nowhere but to what has it; a backslash is a letter of a name on Linux. */
export function isPlainName(name: string): boolean {
  return name !== "" && name !== "." && name !== ".." && !name.includes("/") && !name.includes("\0");
}

export function joinPath(folder: string, name: string): string {
  return folder ? `${folder}/${name}` : name;
}

/** Return the folder and the name of a path. */
export function splitPath(path: string): [folder: string, name: string] {
  const at = path.lastIndexOf("/");
  return at < 0 ? ["", path] : [path.slice(0, at), path.slice(at + 1)];
}

export function folderOf(path: string): string {
  return splitPath(path)[0];
}

export function nameOf(path: string): string {
  return splitPath(path)[1];
}

/** `path` is given where it is known: a text that is put together is copied when it is first looked into. */
export function fileEntry(folder: string, name: string, size?: number, modified?: number, path?: string): Entry {
  const entry: Entry = { path: path ?? joinPath(folder, name), name, folder, isFolder: false };
  if (size !== undefined) entry.size = size;
  if (modified !== undefined) entry.modified = modified;
  return entry;
}

export function folderEntry(folder: string, name: string): Entry {
  return { path: joinPath(folder, name), name, folder, isFolder: true };
}

/** Yield one by one what comes in batches. */
export async function* flatten(batches: AsyncIterable<Entry[]>): AsyncIterable<Entry> {
  for await (const batch of batches) yield* batch;
}

/** Return the text of a file that must be UTF-8; throws PlaceError. */
export async function readText(place: Place, path: string): Promise<string> {
  const bytes = await readBytes(place, path);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new PlaceError("format", `${path}: not UTF-8`);
  }
}

export async function readBytes(place: Place, path: string): Promise<ArrayBuffer> {
  return (await place.open(path)).arrayBuffer();
}

/** Return what went wrong, as words for a person. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message || error.name : String(error);
}
