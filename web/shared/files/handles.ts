/** A place on disk, through the handles of the File System Access API: picked, or dropped on the page. */
import { keepAddressWhile } from "../fragment";
import { filesText } from "../text/files";
import { batchesOf, runAll } from "./batches";
import { fromInput } from "./input";
import {
  DEEPEST_FOLDER,
  type Entry,
  INDEX_PATH,
  type ListOptions,
  type Place,
  PlaceError,
  fileEntry,
  flatten,
  folderEntry,
  isPrivate,
  joinPath,
  reasonOf,
  splitPath,
} from "./place";
import { haveSameBytes } from "./sameBytes";
import { isZipFolder, listZipInto, openInZip, splitAtZip } from "./zip";

// Measured: 8 to 32 folders at once list fastest.
const FOLDERS_AT_ONCE = 16;
const FILES_AT_ONCE = 500;

type Permission = { mode: "read" | "readwrite" };

/** What TypeScript does not know of handles yet. */
interface DirectoryHandle extends FileSystemDirectoryHandle {
  queryPermission?(options: Permission): Promise<PermissionState>;
  requestPermission?(options: Permission): Promise<PermissionState>;
}
interface MovableHandle extends FileSystemFileHandle {
  move?(newName: string): Promise<void>;
}
interface HandleItem extends DataTransferItem {
  getAsFileSystemHandle?(): Promise<FileSystemHandle | null>;
}
type PickingWindow = Window & {
  showDirectoryPicker?(options: { id?: string; mode: "read" | "readwrite" }): Promise<FileSystemDirectoryHandle>;
};

/** Whether this browser lets a page ask for a folder. */
export function canPick(): boolean {
  return typeof (window as PickingWindow).showDirectoryPicker === "function";
}

/** Ask the person for a folder, to read; null where she picks none, and throws what else the browser throws. */
export async function fromPicker(): Promise<Place | null> {
  try {
    return fromDirectory(await (window as PickingWindow).showDirectoryPicker!({ id: "zddc", mode: "read" }));
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") return null;
    throw error;
  }
}

export function fromDirectory(handle: FileSystemDirectoryHandle): Place {
  return new HandlePlace(handle.name, handle);
}

/**
 * Return the place of what was dropped; null where nothing of it can be read.
 *
 * Must be called while the event is handled: a browser forgets what was dropped when its handler returns.
 */
export async function fromDrop(event: DragEvent): Promise<Place | null> {
  const items = [...(event.dataTransfer?.items ?? [])].filter((item) => item.kind === "file") as HandleItem[];
  const files = [...(event.dataTransfer?.files ?? [])];
  // All asked for at once, before anything is waited for. A folder through webkitGetAsEntry cannot be read from file:.
  const asked = items.map((item) => item.getAsFileSystemHandle?.() ?? Promise.resolve(null));
  const handles = (await Promise.all(asked)).filter((handle) => handle !== null);
  const folders = handles.filter((handle) => handle.kind === "directory") as FileSystemDirectoryHandle[];
  if (folders.length === 1 && handles.length === 1) return fromDirectory(folders[0]!);
  if (folders.length) return new HandlePlace(filesText.severalFolders, joined(handles));
  return files.length ? fromInput(files, files.length === 1 ? files[0]!.name : filesText.droppedFiles) : null;
}

/** Return what can be listed like a folder of these handles. */
function joined(handles: readonly FileSystemHandle[]): DirectoryHandle {
  const found = (name: string, kind: FileSystemHandleKind) => {
    const handle = handles.find((one) => one.name === name && one.kind === kind);
    if (!handle) throw new DOMException(name, "NotFoundError");
    return handle;
  };
  return {
    kind: "directory",
    name: filesText.severalFolders,
    async *values() {
      yield* handles;
    },
    getDirectoryHandle: async (name: string) => found(name, "directory"),
    getFileHandle: async (name: string) => found(name, "file"),
  } as unknown as DirectoryHandle;
}

class HandlePlace implements Place {
  readonly kind = "local";
  readonly name: string;
  #root: DirectoryHandle;
  /** Those that were asked for, so that many files of a folder at once ask for it once. */
  #folders = new Map<string, Promise<FileSystemDirectoryHandle>>();
  #canWrite = false;

  constructor(name: string, root: DirectoryHandle) {
    this.name = name;
    this.#root = root;
  }

  get canWrite(): boolean {
    return this.#canWrite;
  }

  get handle(): FileSystemDirectoryHandle | undefined {
    return this.#root instanceof FileSystemDirectoryHandle ? this.#root : undefined;
  }

  list(options: ListOptions): AsyncIterable<Entry> {
    return flatten(this.batches(options));
  }

  batches(options: ListOptions): AsyncIterable<Entry[]> {
    return batchesOf<Entry>(async (add) => {
      const pending: { handle: FileSystemDirectoryHandle; path: string; depth: number }[] = [
        { handle: this.#root, path: "", depth: 0 },
      ];
      const read = async ({ handle, path, depth }: (typeof pending)[number]) => {
        try {
          await options.turn?.();
          for await (const batch of this.#readFolder(handle, path, options)) {
            await options.turn?.();
            options.signal?.throwIfAborted();
            add(batch.entries);
            if (batch.folders.length && depth === DEEPEST_FOLDER) {
              options.onProblem(path, filesText.tooDeep(DEEPEST_FOLDER));
              continue;
            }
            for (const below of batch.folders) {
              pending.push({ handle: below, path: joinPath(path, below.name), depth: depth + 1 });
            }
          }
        } catch (error) {
          // Without the root, or without the person's leave, there is nothing to go on with.
          if (options.signal?.aborted || !path || isDenied(error)) throw translate(error, path);
          options.onProblem(path, filesText.cannotList(reasonOf(error)));
        }
      };
      // The list grows while it is worked on; what waits for a first listing is taken by the loop of runAll.
      await runAll(pending, FOLDERS_AT_ONCE, read, options.signal);
    });
  }

  async *#readFolder(
    handle: FileSystemDirectoryHandle,
    path: string,
    options: ListOptions,
  ): AsyncGenerator<{ entries: Entry[]; folders: FileSystemDirectoryHandle[] }> {
    let entries: Entry[] = [];
    let folders: FileSystemDirectoryHandle[] = [];
    for await (const one of handle.values()) {
      const name = one.name;
      if (isPrivate(name) && !options.everything) continue;
      if (one.kind === "directory") {
        entries.push(folderEntry(path, name));
        folders.push(one as FileSystemDirectoryHandle);
      } else if (isZipFolder(name) && !options.everything) {
        await listZipInto(await (one as FileSystemFileHandle).getFile(), path, name, entries, options);
      } else {
        entries.push(fileEntry(path, name));
      }
      if (entries.length >= FILES_AT_ONCE) {
        yield { entries, folders };
        entries = [];
        folders = [];
      }
    }
    yield { entries, folders };
  }

  async open(path: string): Promise<File> {
    const inZip = splitAtZip(path);
    try {
      if (inZip) {
        const isFolder = await this.#folder(inZip[0]).then(
          () => true,
          () => false,
        );
        if (!isFolder) return await openInZip(await (await this.#file(inZip[0])).getFile(), inZip[1]);
      }
      return await (await this.#file(path)).getFile();
    } catch (error) {
      throw translate(error, path);
    }
  }

  async readIndex(): Promise<string | null> {
    try {
      return await (await (await this.#file(INDEX_PATH.join("/"))).getFile()).text();
    } catch (error) {
      const failure = translate(error, INDEX_PATH.join("/"));
      if (failure.kind === "permission") throw failure;
      return null;
    }
  }

  async askToRead(): Promise<boolean> {
    return (await this.#ask("read", "granted")) === "granted";
  }

  async askToWrite(): Promise<boolean> {
    this.#canWrite = (await this.#ask("readwrite", "denied")) === "granted";
    return this.#canWrite;
  }

  /** Have the browser ask; `otherwise` is what holds in one that does not ask. */
  async #ask(mode: Permission["mode"], otherwise: PermissionState): Promise<PermissionState> {
    const asking = this.#root.requestPermission?.({ mode });
    return asking ? keepAddressWhile(asking) : otherwise;
  }

  async write(path: string, data: Blob | string, { mustNotExist }: { mustNotExist: boolean }): Promise<void> {
    const blob = typeof data === "string" ? new Blob([data]) : data;
    const [folderPath, name] = splitPath(path);
    try {
      const folder = await this.#folder(folderPath, true);
      if (mustNotExist && (await exists(folder, name))) throw new PlaceError("exists", filesText.exists(path));
      const handle = await folder.getFileHandle(name, { create: true });
      try {
        // A swap file is written, which takes the place of the file when it is closed.
        const stream = await handle.createWritable();
        try {
          await stream.write(blob);
          await stream.close();
        } catch (error) {
          await stream.abort().catch(() => {});
          throw error;
        }
      } catch (error) {
        if (mustNotExist && !(await handle.getFile()).size) await folder.removeEntry(name);
        throw error;
      }
      const written = await handle.getFile();
      if (!(await haveSameBytes(written, blob))) {
        throw new PlaceError("unwritten", filesText.notWritten(path));
      }
    } catch (error) {
      throw translate(error, path);
    }
  }

  async rename(path: string, newName: string): Promise<void> {
    const [folderPath, name] = splitPath(path);
    const target = joinPath(folderPath, newName);
    if (name === newName) return;
    try {
      const folder = await this.#folder(folderPath);
      const handle = (await folder.getFileHandle(name)) as MovableHandle;
      const taken = await folder.getFileHandle(newName).catch((error: unknown) => {
        if (error instanceof DOMException && error.name === "NotFoundError") return null;
        throw error; // such as a folder of that name
      });
      // Where letter case does not count, the new name is found as the old file.
      if (taken && !(await taken.isSameEntry(handle))) throw new PlaceError("exists", filesText.exists(target));
      if (taken && name.toLowerCase() !== newName.toLowerCase()) {
        throw new PlaceError("exists", filesText.exists(target));
      }
      if (handle.move) {
        await handle.move(newName);
        return;
      }
      await this.write(target, await handle.getFile(), { mustNotExist: true });
      await folder.removeEntry(name);
    } catch (error) {
      throw translate(error, path);
    }
  }

  async remove(path: string): Promise<void> {
    const [folder, name] = splitPath(path);
    try {
      await (await this.#folder(folder)).removeEntry(name);
    } catch (error) {
      throw translate(error, path);
    }
  }

  async makeFolder(path: string): Promise<void> {
    try {
      await this.#folder(path, true);
    } catch (error) {
      throw translate(error, path);
    }
  }

  async hasFolder(path: string): Promise<boolean> {
    return this.#folder(path).then(
      () => true,
      () => false,
    );
  }

  async #file(path: string): Promise<FileSystemFileHandle> {
    const [folder, name] = splitPath(path);
    return (await this.#folder(folder)).getFileHandle(name);
  }

  async #folder(path: string, create = false): Promise<FileSystemDirectoryHandle> {
    if (!path) return this.#root;
    // One that is asked for and is not there may be made now.
    const known = await this.#folders.get(path)?.catch(() => null);
    if (known) return known;
    const [above, name] = splitPath(path);
    const asked = this.#folder(above, create).then((folder) => folder.getDirectoryHandle(name, { create }));
    this.#folders.set(path, asked);
    asked.catch(() => {
      if (this.#folders.get(path) === asked) this.#folders.delete(path);
    });
    return asked;
  }
}

async function exists(folder: FileSystemDirectoryHandle, name: string): Promise<boolean> {
  try {
    await folder.getFileHandle(name);
    return true;
  } catch (error) {
    if (error instanceof DOMException && error.name === "NotFoundError") return false;
    if (error instanceof DOMException && error.name === "TypeMismatchError") return true;
    throw error;
  }
}

function isDenied(error: unknown): boolean {
  return error instanceof DOMException && (error.name === "NotAllowedError" || error.name === "SecurityError");
}

function translate(error: unknown, path: string): PlaceError {
  if (error instanceof PlaceError) return error;
  if (isDenied(error)) return new PlaceError("permission", filesText.permissionLost);
  if (error instanceof DOMException && (error.name === "NotFoundError" || error.name === "TypeMismatchError")) {
    return new PlaceError("absent", filesText.absent(path));
  }
  // Chromium neither lists nor opens names that Windows cannot have, or that look like those of the system.
  if (error instanceof TypeError) return new PlaceError("refused", filesText.hidden(path));
  return new PlaceError("unreadable", `${path}: ${reasonOf(error)}`);
}
