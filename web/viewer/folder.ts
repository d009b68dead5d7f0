/**
 * A folder as this page reads it: by the browser's handles, or by what an input element gave.
 *
 * The page is in every published transmittal, so it has none of what its makers' pages can besides: it writes nothing,
 * looks into no zip and asks no server.
 */
import { DEEPEST_FOLDER, fileEntry, flatten, folderEntry, joinPath, PlaceError, reasonOf, splitPath, type Entry, type ListOptions, type Place } from "../shared/files/place";
import { filesText } from "../shared/text/files";

const FILES_AT_ONCE = 500;

type Folder = Pick<FileSystemDirectoryHandle, "name" | "getDirectoryHandle" | "getFileHandle"> & { values(): AsyncIterable<FileSystemHandle> };
type PickingWindow = Window & { showDirectoryPicker?(options: { id: string; mode: "read" }): Promise<FileSystemDirectoryHandle> };
type HandleItem = DataTransferItem & { getAsFileSystemHandle?(): Promise<FileSystemHandle | null> };

export function canPick(): boolean {
  return typeof (window as PickingWindow).showDirectoryPicker === "function";
}

/** Asks the person for a folder; throws what the browser throws, AbortError where nothing was picked. */
export async function fromPicker(): Promise<Place> {
  return fromFolder((await (window as PickingWindow).showDirectoryPicker!({ id: "zddc", mode: "read" })) as unknown as Folder);
}

/** Returns the place of what was dropped, null where nothing can be read; must be called while the event is handled. */
export async function fromDrop(event: DragEvent): Promise<Place | null> {
  const items = [...(event.dataTransfer?.items ?? [])].filter((item) => item.kind === "file") as HandleItem[];
  const files = [...(event.dataTransfer?.files ?? [])];
  // All asked for at once, before anything is waited for: a browser forgets what was dropped when its handler returns.
  const handles = await Promise.all(items.map((item) => item.getAsFileSystemHandle?.() ?? null));
  const known = handles.filter((handle) => handle !== null);
  if (known.some((handle) => handle.kind === "directory")) {
    const [only] = known;
    return fromFolder(known.length === 1 ? (only as unknown as Folder) : joined(known));
  }
  return files.length ? fromFiles(files) : null;
}

/** Returns what can be read like a folder of these handles. */
function joined(handles: readonly FileSystemHandle[]): Folder {
  const find = async (name: string, kind: FileSystemHandleKind) => {
    const found = handles.find((one) => one.name === name && one.kind === kind);
    if (!found) throw new DOMException(name, "NotFoundError");
    return found;
  };
  return {
    name: filesText.severalFolders,
    async *values() {
      yield* handles;
    },
    getDirectoryHandle: async (name) => (await find(name, "directory")) as FileSystemDirectoryHandle,
    getFileHandle: async (name) => (await find(name, "file")) as FileSystemFileHandle,
  };
}

function fromFolder(root: Folder): Place {
  async function* batches({ signal, onProblem }: ListOptions): AsyncGenerator<Entry[]> {
    const waiting: [path: string, depth: number, folder: Folder][] = [["", 0, root]];
    for (let next = waiting.pop(); next; next = waiting.pop()) {
      const [path, depth, folder] = next;
      let entries: Entry[] = [];
      try {
        for await (const one of folder.values()) {
          signal?.throwIfAborted();
          const isFolder = one.kind === "directory";
          entries.push(isFolder ? folderEntry(path, one.name) : fileEntry(path, one.name));
          if (isFolder && depth < DEEPEST_FOLDER) waiting.push([joinPath(path, one.name), depth + 1, one as unknown as Folder]);
          else if (isFolder) onProblem(joinPath(path, one.name), filesText.tooDeep(DEEPEST_FOLDER));
          if (entries.length < FILES_AT_ONCE) continue;
          yield entries;
          entries = [];
        }
      } catch (error) {
        // Without the folder itself there is nothing to go on with.
        if (signal?.aborted || !path) throw error;
        onProblem(path, filesText.cannotList(reasonOf(error)));
      }
      yield entries;
    }
  }
  const open = async (path: string): Promise<File> => {
    const [folders, name] = splitPath(path);
    try {
      let folder = root;
      for (const one of folders ? folders.split("/") : []) folder = (await folder.getDirectoryHandle(one)) as unknown as Folder;
      return await (await folder.getFileHandle(name)).getFile();
    } catch (error) {
      const isAbsent = error instanceof DOMException && (error.name === "NotFoundError" || error.name === "TypeMismatchError");
      if (isAbsent) throw new PlaceError("absent", filesText.absent(path));
      // Chromium opens no names that Windows cannot have.
      if (error instanceof TypeError) throw new PlaceError("refused", filesText.hidden(path));
      throw new PlaceError("unreadable", `${path}: ${reasonOf(error)}`);
    }
  };
  return { name: root.name, kind: "local", canWrite: false, list: (options) => flatten(batches(options)), batches, open };
}

/** Returns the place of picked or dropped files; those of a folder have paths below it. */
export function fromFiles(given: Iterable<File>): Place {
  const files = [...given];
  // Absent where files come from elsewhere than an input element.
  const pathOf = (file: File) => (file as Partial<File>).webkitRelativePath || file.name;
  const isFolder = files.every((file) => pathOf(file).includes("/"));
  const known = new Map(files.map((file) => [isFolder ? pathOf(file).slice(pathOf(file).indexOf("/") + 1) : pathOf(file), file]));
  async function* batches(): AsyncGenerator<Entry[]> {
    const folders = new Set<string>();
    for (const path of known.keys()) {
      for (let at = path.indexOf("/"); at >= 0; at = path.indexOf("/", at + 1)) folders.add(path.slice(0, at));
    }
    yield [...folders].map((path) => folderEntry(...splitPath(path)));
    yield [...known.keys()].map((path) => fileEntry(...splitPath(path)));
  }
  const open = async (path: string): Promise<File> => {
    const file = known.get(path);
    if (!file) throw new PlaceError("absent", filesText.absent(path));
    return file;
  };
  return { name: filesText.pickedFiles, kind: "input", canWrite: false, list: () => flatten(batches()), batches, open };
}
