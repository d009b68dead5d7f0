/** Writes a zip of files of a place, one after the other, as a stream. */
import { makeZip } from "client-zip";
import type { Place } from "./files/place";

export interface ZipOptions {
  signal?: AbortSignal;
  /** Called before each file, with the number of those that are in the zip. */
  onFile?(done: number, path: string): void;
  /** Called with what stopped it: whoever reads the stream is told less by some browsers. */
  onFailure?(error: unknown): void;
}

/** A file of a zip: its path in the place, and its name in the zip. */
export interface ZipMember {
  path: string;
  name: string;
}

/**
 * Return the zip of these files as a stream; it fails where one of them cannot be read, so that no zip is short of one.
 */
export function zipOf(place: Place, members: readonly ZipMember[], options: ZipOptions = {}): ReadableStream<Uint8Array> {
  async function* files() {
    for (const [done, { path, name }] of members.entries()) {
      options.signal?.throwIfAborted();
      options.onFile?.(done, path);
      const file = await place.open(path).catch((error: unknown) => {
        options.onFailure?.(error);
        throw error;
      });
      yield { name, input: file, lastModified: new Date(file.lastModified), size: file.size };
    }
  }
  return makeZip(files(), { buffersAreUTF8: true });
}

/** Return the names of files in a zip: their paths without the folders that all of them are in. */
export function namesInZip(paths: readonly string[]): ZipMember[] {
  const first = paths[0]?.split("/").slice(0, -1) ?? [];
  let common = first.length;
  for (const path of paths) {
    const folders = path.split("/").slice(0, -1);
    common = Math.min(common, folders.length);
    for (let at = 0; at < common; at += 1) {
      if (folders[at] !== first[at]) common = at;
    }
  }
  return paths.map((path) => ({ path, name: path.split("/").slice(common).join("/") }));
}
