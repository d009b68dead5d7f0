/** A place of the files that an input element gave: a whole folder, or single files. */
import { filesText } from "../text/files";
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
  splitPath,
} from "./place";
import { isZipFolder, listZipInto, openInZip, splitAtZip } from "./zip";

const AT_ONCE = 5000;

/** Return the place of picked files; those of a folder have paths below it. */
export function fromInput(files: FileList | readonly File[], name?: string): Place {
  return new InputPlace([...files], name);
}

class InputPlace implements Place {
  readonly kind = "input";
  readonly canWrite = false;
  readonly name: string;
  #files = new Map<string, File>();

  constructor(files: readonly File[], name?: string) {
    // Absent where files come from elsewhere than an input element.
    const pathOf = (file: File) => (file as Partial<File>).webkitRelativePath || file.name;
    const ofFolder = files.length > 0 && files.every((file) => pathOf(file).includes("/"));
    this.name = name ?? (ofFolder ? pathOf(files[0]!).split("/")[0]! : filesText.pickedFiles);
    for (const file of files) this.#files.set(pathOf(file).slice(ofFolder ? pathOf(file).indexOf("/") + 1 : 0), file);
  }

  list(options: ListOptions): AsyncIterable<Entry> {
    return flatten(this.batches(options));
  }

  async *batches(options: ListOptions): AsyncIterable<Entry[]> {
    const folders = new Set<string>();
    let batch: Entry[] = [];
    for (const [path, file] of this.#files) {
      options.signal?.throwIfAborted();
      const parts = path.split("/");
      if (parts.some(isPrivate) && !options.everything) continue;
      if (parts.length > DEEPEST_FOLDER + 1) {
        options.onProblem(path, filesText.tooDeep(DEEPEST_FOLDER));
        continue;
      }
      const [folder, name] = splitPath(path);
      addFolders(folder, folders, batch);
      if (isZipFolder(name) && !options.everything) await listZipInto(file, folder, name, batch, options);
      else batch.push(fileEntry(folder, name, file.size, file.lastModified));
      if (batch.length >= AT_ONCE) {
        yield batch;
        batch = [];
      }
    }
    yield batch;
  }

  async open(path: string): Promise<File> {
    const file = this.#files.get(path);
    if (file) return file;
    const inZip = splitAtZip(path);
    const zip = inZip && this.#files.get(inZip[0]);
    if (!zip) throw new PlaceError("absent", filesText.absent(path));
    return openInZip(zip, inZip[1]);
  }

  async readIndex(): Promise<string | null> {
    return (await this.#files.get(INDEX_PATH.join("/"))?.text()) ?? null;
  }
}

/** Add a folder, and those that it is in, to the entries where they are not known yet. */
export function addFolders(folder: string, known: Set<string>, entries: Entry[]): void {
  if (!folder || known.has(folder)) return;
  const [above, name] = splitPath(folder);
  addFolders(above, known, entries);
  known.add(folder);
  entries.push(folderEntry(above, name));
}
