/** A folder on disk as renames need it: every name in it, the state of a file, a rename that overwrites nothing. */
import { folderOf, nameOf, reasonOf } from "../../shared/files/place";
import { haveSameBytes } from "../../shared/files/sameBytes";
import { diskText } from "../text";

export type FailureKind = "absent" | "taken" | "locked" | "permission" | "full" | "name" | "blocked" | "other";

/** What a disk could not do; the message is what people read. */
export class DiskError extends Error {
  override name = "DiskError";
  constructor(
    readonly kind: FailureKind,
    message: string,
  ) {
    super(message);
  }
}

export interface FileState {
  size: number;
  /** In milliseconds since 1970. */
  modified: number;
}

/** All methods throw {@link DiskError}. Paths are below the folder, with "/". */
export interface Disk {
  /** Return every name in a folder, hidden ones too, and what has it; nothing if the folder is not there. */
  names(folder: string): Promise<Map<string, "file" | "directory">>;
  state(path: string): Promise<FileState>;
  /** Give a file another name in its folder; never overwrites. */
  rename(path: string, newName: string): Promise<void>;
  read(path: string): Promise<Uint8Array>;
  /** Write a new file, or the whole of a file anew. */
  write(path: string, text: string, options: { mustNotExist: boolean }): Promise<void>;
  /** Write text at a place in a file, in bytes; what was behind it is gone. */
  writeAt(path: string, at: number, text: string): Promise<void>;
  remove(path: string): Promise<void>;
}

type MovableHandle = FileSystemFileHandle & { move?(newName: string): Promise<void> };

/** Files above this are worth a word while they are copied. */
export const LARGE_COPY = 100 * 1024 * 1024;

export interface HandleDiskOptions {
  /** Called before a file is copied because the browser cannot rename it. */
  onCopy?(path: string, size: number): void;
}

/** A disk through the handle of a folder that the page may write in. */
export function handleDisk(root: FileSystemDirectoryHandle, options: HandleDiskOptions = {}): Disk {
  const folders = new Map<string, FileSystemDirectoryHandle>([["", root]]);

  async function folder(path: string): Promise<FileSystemDirectoryHandle> {
    const known = folders.get(path);
    if (known) return known;
    const handle = await (await folder(folderOf(path))).getDirectoryHandle(nameOf(path));
    folders.set(path, handle);
    return handle;
  }

  /** A browser does not take every name that a file can have; then the listing still gives the file. */
  async function file(path: string): Promise<FileSystemFileHandle> {
    const there = await folder(folderOf(path));
    const name = nameOf(path);
    try {
      return await there.getFileHandle(name);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      for await (const handle of there.values()) {
        if (handle.name === name && handle.kind === "file") return handle as FileSystemFileHandle;
      }
      throw new DOMException(name, "NotFoundError");
    }
  }

  async function isThere(there: FileSystemDirectoryHandle, name: string): Promise<boolean> {
    try {
      await there.getFileHandle(name);
      return true;
    } catch (error) {
      const kind = error instanceof DOMException ? error.name : "";
      if (kind === "TypeMismatchError") return true;
      if (kind === "NotFoundError") return false;
      throw error;
    }
  }

  async function put(handle: FileSystemFileHandle, data: Blob | string, at: number | null): Promise<void> {
    const stream = await handle.createWritable({ keepExistingData: at !== null });
    try {
      if (at !== null) {
        await stream.truncate(at);
        await stream.seek(at);
      }
      await stream.write(data);
      await stream.close();
    } catch (error) {
      await stream.abort().catch(() => {});
      throw error;
    }
  }

  async function copyAndRemove(there: FileSystemDirectoryHandle, handle: FileSystemFileHandle, path: string, newName: string) {
    const before = await handle.getFile();
    options.onCopy?.(path, before.size);
    const copy = await there.getFileHandle(newName, { create: true });
    try {
      await put(copy, before, null);
      const [written, after] = await Promise.all([copy.getFile(), handle.getFile()]);
      if (!(await haveSameBytes(written, after))) throw new DiskError("other", diskText.copyDiffers);
    } catch (error) {
      await there.removeEntry(newName).catch(() => {});
      throw error;
    }
    try {
      await there.removeEntry(handle.name);
    } catch (error) {
      // The old file cannot go: then the new one goes, and the rename has not been.
      await there.removeEntry(newName);
      throw error;
    }
  }

  const translated = async <T>(act: () => Promise<T>): Promise<T> => {
    try {
      return await act();
    } catch (error) {
      throw translate(error);
    }
  };

  return {
    names: (path) =>
      translated(async () => {
        const names = new Map<string, "file" | "directory">();
        let there: FileSystemDirectoryHandle;
        try {
          there = await folder(path);
        } catch (error) {
          if (error instanceof DOMException && error.name === "NotFoundError") return names;
          throw error;
        }
        for await (const handle of there.values()) names.set(handle.name, handle.kind);
        return names;
      }),
    state: (path) =>
      translated(async () => {
        const { size, lastModified } = await (await file(path)).getFile();
        return { size, modified: lastModified };
      }),
    rename: (path, newName) =>
      translated(async () => {
        const there = await folder(folderOf(path));
        const handle = (await file(path)) as MovableHandle;
        if (await isThere(there, newName)) throw new DiskError("taken", diskText.taken(newName));
        if (handle.move) {
          try {
            await handle.move(newName);
            return;
          } catch (error) {
            if (!(error instanceof DOMException && error.name === "NotSupportedError")) throw error;
          }
        }
        await copyAndRemove(there, handle, path, newName);
      }),
    read: (path) => translated(async () => new Uint8Array(await (await (await file(path)).getFile()).arrayBuffer())),
    write: (path, text, { mustNotExist }) =>
      translated(async () => {
        const there = await folder(folderOf(path));
        const name = nameOf(path);
        if (mustNotExist && (await isThere(there, name))) throw new DiskError("taken", diskText.taken(name));
        const handle = await there.getFileHandle(name, { create: true });
        try {
          await put(handle, text, null);
        } catch (error) {
          // An empty file of this name would be taken for a journal.
          if (mustNotExist) await there.removeEntry(name).catch(() => {});
          throw error;
        }
      }),
    writeAt: (path, at, text) => translated(async () => put(await file(path), text, at)),
    remove: (path) => translated(async () => (await folder(folderOf(path))).removeEntry(nameOf(path))),
  };
}

const KINDS = new Map<string, [FailureKind, string]>([
  ["NotFoundError", ["absent", diskText.absent]],
  ["TypeMismatchError", ["absent", diskText.absent]],
  ["NoModificationAllowedError", ["locked", diskText.locked]],
  ["InvalidModificationError", ["locked", diskText.locked]],
  ["NotAllowedError", ["permission", diskText.permission]],
  ["SecurityError", ["permission", diskText.permission]],
  ["QuotaExceededError", ["full", diskText.full]],
  ["AbortError", ["blocked", diskText.blocked]],
  ["NotReadableError", ["locked", diskText.unreadable]],
]);

function translate(error: unknown): DiskError {
  if (error instanceof DiskError) return error;
  if (error instanceof TypeError) return new DiskError("name", diskText.nameRefused);
  const [kind, text] = (error instanceof DOMException && KINDS.get(error.name)) || ["other", ""];
  const message = reasonOf(error);
  return new DiskError(kind as FailureKind, text || diskText.other(message));
}
