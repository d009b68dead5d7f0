/** A place of the files in a zip; and zips of transmittals, which count as folders wherever they lie. */
import { isZippedTransmittal } from "../naming";
import { filesText } from "../text/files";
import { crc32 } from "./crc32";
import {
  DEEPEST_FOLDER,
  type Entry,
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
import { DEFLATED, type Directory, type Member, readDirectory, viewOf } from "./zipDirectory";

const LOCAL_HEADER = 0x04034b50;

/** Return the place of a zip; throws PlaceError where the file is none. */
export async function fromZip(file: File): Promise<Place> {
  return new ZipPlace(file, await readDirectory(file));
}

/** Whether a file is a zip named like a transmittal folder, which counts as that folder. */
export function isZipFolder(name: string): boolean {
  return isZippedTransmittal(name);
}

/** Return the path of the zip that a path leads into, and the path in it; null where it leads into none. */
export function splitAtZip(path: string): [zip: string, member: string] | null {
  for (let at = path.indexOf("/"); at >= 0; at = path.indexOf("/", at + 1)) {
    const folder = path.slice(0, at);
    if (isZipFolder(splitPath(folder)[1])) return [folder, path.slice(at + 1)];
  }
  return null;
}

/** Add what is in a zip of a transmittal to the entries; a zip that cannot be read is a problem, and adds nothing. */
export async function listZipInto(
  file: File,
  folder: string,
  name: string,
  entries: Entry[],
  options: ListOptions,
): Promise<void> {
  const path = joinPath(folder, name);
  try {
    const directory = await readDirectory(file);
    entries.push(folderEntry(folder, name));
    addMembers(directory, path, entries, options);
  } catch (error) {
    options.onProblem(path, filesText.cannotRead(reasonOf(error)));
  }
}

/** Return a member of a zip as a file; throws PlaceError. */
export async function openInZip(zip: File, path: string): Promise<File> {
  const { members } = await readDirectory(zip);
  return unpack(zip, members, path);
}

class ZipPlace implements Place {
  readonly kind = "zip";
  readonly canWrite = false;
  readonly name: string;
  #file: File;
  #directory: Directory;

  constructor(file: File, directory: Directory) {
    this.name = file.name;
    this.#file = file;
    this.#directory = directory;
  }

  list(options: ListOptions): AsyncIterable<Entry> {
    return flatten(this.batches(options));
  }

  async *batches(options: ListOptions): AsyncIterable<Entry[]> {
    const entries: Entry[] = [];
    addMembers(this.#directory, "", entries, options);
    yield entries;
  }

  open(path: string): Promise<File> {
    return unpack(this.#file, this.#directory.members, path);
  }
}

function addMembers(directory: Directory, path: string, entries: Entry[], options: ListOptions): void {
  for (const one of directory.leftOut) options.onProblem(joinPath(path, one.path), one.reason);
  const folders = new Set<string>();
  for (const member of directory.members) {
    const parts = member.path.split("/");
    if (parts.some(isPrivate) && !options.everything) continue;
    if (parts.length > DEEPEST_FOLDER) {
      options.onProblem(joinPath(path, member.path), filesText.tooDeep(DEEPEST_FOLDER));
      continue;
    }
    const known = member.isFolder ? parts.length : parts.length - 1;
    for (let depth = 1; depth <= known; depth += 1) {
      const below = parts.slice(0, depth).join("/");
      if (folders.has(below)) continue;
      folders.add(below);
      entries.push(folderEntry(...splitPath(joinPath(path, below))));
    }
    if (member.isFolder) continue;
    const [folder, name] = splitPath(joinPath(path, member.path));
    entries.push(fileEntry(folder, name, member.size, member.modified));
  }
}

async function unpack(zip: File, members: readonly Member[], path: string): Promise<File> {
  const member = members.find((one) => one.path === path && !one.isFolder);
  if (!member) throw new PlaceError("absent", filesText.absent(path));
  const header = await viewOf(zip, member.offset, member.offset + 30);
  if (header.byteLength < 30 || header.getUint32(0, true) !== LOCAL_HEADER) {
    throw new PlaceError("format", filesText.zipDamaged(path));
  }
  const start = member.offset + 30 + header.getUint16(26, true) + header.getUint16(28, true);
  const packed = zip.slice(start, start + member.packedSize);
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  let crc = 0;
  try {
    const stream = member.method === DEFLATED ? packed.stream().pipeThrough(inflater()) : packed.stream();
    const reader = stream.getReader();
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      size += read.value.byteLength;
      if (size > member.size) {
        await reader.cancel();
        throw new PlaceError("format", filesText.zipTooLarge(path));
      }
      crc = crc32(read.value, crc);
      pieces.push(read.value);
    }
  } catch (error) {
    if (error instanceof PlaceError) throw error;
    throw new PlaceError("format", filesText.zipDamaged(path));
  }
  if (size !== member.size || crc !== member.crc) throw new PlaceError("format", filesText.zipDamaged(path));
  return new File(pieces, splitPath(path)[1], { lastModified: member.modified });
}

function inflater(): ReadableWritablePair<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>> {
  return new DecompressionStream("deflate-raw") as ReadableWritablePair<
    Uint8Array<ArrayBuffer>,
    Uint8Array<ArrayBuffer>
  >;
}
