/** SHA-256 of files: by Web Crypto where a file fits into memory, in slices by WebAssembly above. */
import { createSHA256 } from "hash-wasm";
import { PlaceError, type Place } from "./files/place";
import { filesText } from "./text/files";

/** Above this, a file is read in slices: Web Crypto copies what it is given, and the page answers to nobody meanwhile. */
export const LARGEST_AT_ONCE = 0x100_0000; // 16 MiB
const SLICE = 0x40_0000; // 4 MiB

export interface HashOptions {
  signal?: AbortSignal;
  /** Called with the bytes that were read since the last call. */
  onBytes?(count: number): void;
  /** For tests: the largest file that is hashed at once. */
  largestAtOnce?: number;
}

/** Return the SHA-256 of bytes as 64 hexadecimal digits. */
export async function sha256OfBytes(bytes: BufferSource): Promise<string> {
  return formatHex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
}

/** Return the SHA-256 of a file, read once; throws what reading throws, and the signal's reason. */
export async function sha256OfBlob(blob: Blob, options: HashOptions = {}): Promise<string> {
  options.signal?.throwIfAborted();
  if (blob.size <= (options.largestAtOnce ?? LARGEST_AT_ONCE) && globalThis.crypto?.subtle) {
    const bytes = await blob.arrayBuffer();
    options.signal?.throwIfAborted();
    const hash = await sha256OfBytes(bytes);
    options.onBytes?.(blob.size);
    return hash;
  }
  const hasher = await createSHA256();
  hasher.init();
  for (let at = 0; at < blob.size; at += SLICE) {
    const slice = new Uint8Array(await blob.slice(at, at + SLICE).arrayBuffer());
    options.signal?.throwIfAborted();
    // One slice is one task of the page, so between two slices it answers to whoever uses it.
    hasher.update(slice);
    options.onBytes?.(slice.byteLength);
  }
  return hasher.digest("hex");
}

export interface HashedFile {
  path: string;
  sha256: string;
  size: number;
  /** In milliseconds since 1970. */
  modified: number;
}

export interface HashAllOptions {
  signal?: AbortSignal;
  /** Called after each piece, with all bytes and files up to now. */
  onProgress?(done: { files: number; bytes: number }): void;
  /** Called with a file that could not be hashed, and why; the others go on. */
  onProblem(path: string, error: unknown): void;
}

/** Yield the hash of each of these files of a place, in their order; one that cannot be read is a problem. */
export async function* hashAll(
  place: Place,
  paths: Iterable<string>,
  options: HashAllOptions,
): AsyncGenerator<HashedFile> {
  let files = 0;
  let bytes = 0;
  const tell = (more: number) => {
    bytes += more;
    options.onProgress?.({ files, bytes });
  };
  for (const path of paths) {
    options.signal?.throwIfAborted();
    try {
      yield await hashFile(place, path, { ...(options.signal && { signal: options.signal }), onBytes: tell });
    } catch (error) {
      if (options.signal?.aborted) throw error;
      options.onProblem(path, error);
    }
    files += 1;
    tell(0);
  }
}

/** Return the hash of a file that did not change while it was read: it is read twice at most. */
export async function hashFile(place: Place, path: string, options: HashOptions = {}): Promise<HashedFile> {
  for (let attempt = 0; ; attempt += 1) {
    let sha256: string | undefined;
    const file = await place.open(path);
    try {
      sha256 = await sha256OfBlob(file, options);
    } catch (error) {
      // A browser refuses to read a file that changed since it was opened.
      const changed = error instanceof DOMException && error.name === "NotReadableError";
      if (!changed || attempt) throw error;
      continue;
    }
    const after = place.kind === "local" ? await place.open(path) : file;
    if (after.size === file.size && after.lastModified === file.lastModified) {
      return { path, sha256, size: file.size, modified: file.lastModified };
    }
    if (attempt) throw new PlaceError("unreadable", filesText.changedMeanwhile(path));
  }
}

/** Return a list of hashes as `sha256sum` writes it: a name with a line break or a backslash begins with one. */
export function formatSums(files: Iterable<{ path: string; sha256: string }>): string {
  const lines: string[] = [];
  for (const { path, sha256 } of [...files].sort((a, b) => compareBytes(a.path, b.path))) {
    const escaped = path.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll("\r", "\\r");
    lines.push(`${escaped === path ? "" : "\\"}${sha256}  ${escaped}\n`);
  }
  return lines.join("");
}

/** Compare as the bytes of UTF-8 do: by code point. */
export function compareBytes(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at += 1) {
    const one = a.charCodeAt(at);
    const other = b.charCodeAt(at);
    if (one === other) continue;
    // Halves of surrogate pairs stand for what comes after every other unit.
    const isHalf = (unit: number) => unit >= 0xd800 && unit <= 0xdfff;
    return isHalf(one) === isHalf(other) ? one - other : isHalf(one) ? 1 : -1;
  }
  return a.length - b.length;
}

export function formatHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
