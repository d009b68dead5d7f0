/** Reads a folder: the files that get rows, and every name there is, so that no new name meets one. */
import type { Place } from "../shared/files";
import { batchesOf, runAll } from "../shared/files/batches";
import { DEEPEST_FOLDER, isPrivate, joinPath, reasonOf } from "../shared/files/place";
import { splitAtZip } from "../shared/files/zip";
import { filesText } from "../shared/text/files";
import type { Found } from "./model/sheet";

const FOLDERS_AT_ONCE = 16;
const STATES_AT_ONCE = 8;
/** A list of hashes, which belongs to the folder and has no name of a document. */
const LIST_OF_HASHES = "SHA256SUMS";

export interface Read {
  files: Found[];
  /** By folder: every name in it, hidden ones too. */
  names: Map<string, Set<string>>;
}

export interface ReadOptions {
  signal: AbortSignal;
  onProblem(path: string, reason: string): void;
  onProgress(files: number): void;
}

/** Return the files of a place, folder by folder, sorted; throws what reading the place itself throws. */
export async function readPlace(place: Place, options: ReadOptions): Promise<Read> {
  const read: Read = { files: [], names: new Map() };
  const source = place.handle ? readHandle(place.handle, read, options) : readEntries(place, read, options);
  for await (const count of source) options.onProgress(count);
  read.files.sort((one, other) => compare(one.path, other.path));
  return read;
}

const order = new Intl.Collator("en", { numeric: true });

/** In the order of a file manager: files before folders, and 9 before 10. */
function compare(one: string, other: string): number {
  const [a, b] = [one.split("/"), other.split("/")];
  for (let at = 0; at < Math.min(a.length, b.length); at += 1) {
    const isLast = Number(at < a.length - 1) - Number(at < b.length - 1);
    if (isLast) return isLast;
    const found = order.compare(a[at]!, b[at]!) || (a[at]! < b[at]! ? -1 : Number(a[at]! > b[at]!));
    if (found) return found;
  }
  return a.length - b.length;
}

async function* readHandle(root: FileSystemDirectoryHandle, read: Read, options: ReadOptions): AsyncGenerator<number> {
  type Pending = { handle: FileSystemDirectoryHandle; path: string; depth: number };
  const batches = batchesOf<number>(async (add) => {
    const pending: Pending[] = [{ handle: root, path: "", depth: 0 }];
    await runAll(
      pending,
      FOLDERS_AT_ONCE,
      async ({ handle, path, depth }) => {
        const names = new Set<string>();
        read.names.set(path, names);
        try {
          for await (const one of handle.values()) {
            const name = one.name;
            names.add(name);
            if (isPrivate(name)) continue;
            if (one.kind === "file") {
              if (name !== LIST_OF_HASHES) read.files.push({ path: joinPath(path, name), size: null, modified: null });
            } else if (depth === DEEPEST_FOLDER) options.onProblem(path, filesText.tooDeep(DEEPEST_FOLDER));
            else pending.push({ handle: one as FileSystemDirectoryHandle, path: joinPath(path, name), depth: depth + 1 });
          }
        } catch (error) {
          if (!path || options.signal.aborted) throw error;
          options.onProblem(path, filesText.cannotList(reasonOf(error)));
        }
        add([read.files.length]);
      },
      options.signal,
    );
  });
  for await (const batch of batches) yield batch.at(-1) ?? 0;
}

async function* readEntries(place: Place, read: Read, options: ReadOptions): AsyncGenerator<number> {
  for await (const batch of place.batches(options)) {
    for (const { path, name, folder, isFolder, size, modified } of batch) {
      // What is in a zip stays there, unless the zip itself was opened.
      if (place.kind !== "zip" && splitAtZip(path)) continue;
      const names = read.names.get(folder) ?? new Set();
      read.names.set(folder, names.add(name));
      if (isFolder || name === LIST_OF_HASHES) continue;
      read.files.push({ path, size: size ?? null, modified: modified ?? null });
    }
    yield read.files.length;
  }
}

/** Find out the size and time of files, which say later whether they changed; calls back for each. */
export async function readStates(
  place: Place,
  paths: readonly string[],
  onState: (at: number, size: number, modified: number) => void,
  signal: AbortSignal,
): Promise<void> {
  const pending = paths.map((path, at) => ({ path, at })).reverse();
  await runAll(
    pending,
    STATES_AT_ONCE,
    async ({ path, at }) => {
      try {
        const { size, lastModified } = await place.open(path);
        onState(at, size, lastModified);
      } catch {
        // When it is to be renamed, it is looked at again, and then the reason is told.
      }
    },
    signal,
  );
}
