/** The hashes of files of the open place that were read on this page; kept in memory, and forgotten with the place. */
import { signal, type Signal } from "@preact/signals";
import { reasonOf } from "../shared/files/place";
import { hashAll } from "../shared/hashing";
import { addProblem, formatNumber } from "../shared/shell";
import type { FileRow } from "./model/types";
import { place, running } from "./state";

export const hashes: Signal<ReadonlyMap<string, string>> = signal(new Map());

/** Counts how often all were forgotten: what was begun before that is of files that may have changed. */
export const forgotten: Signal<number> = signal(0);

/** Called when a place is opened, or read again. */
export function forgetHashes(): void {
  hashes.value = new Map();
  forgotten.value += 1;
}

/** What is known of a file's bytes. What an index or a cache says counts as a hint only, and is not asked. */
export function knownHash(file: Pick<FileRow, "path">): string | undefined {
  return hashes.value.get(file.path);
}

/** Whether files can be opened here: an index alone has none. */
export function canRead(): boolean {
  return place.value !== null && place.value.kind !== "index";
}

/** Read the files whose hashes are not known yet; false where it was stopped. */
export async function hashFiles(files: readonly Pick<FileRow, "path">[], label: (done: string, all: string) => string): Promise<boolean> {
  const base = place.peek();
  const missing = files.filter((file) => !hashes.peek().has(file.path));
  if (!base || !missing.length) return true;
  const controller = new AbortController();
  const tell = (done: number) => {
    running.value = {
      label: label(formatNumber(done), formatNumber(missing.length)),
      part: done / missing.length,
      stop: () => controller.abort(),
    };
  };
  const found = new Map<string, string>();
  const begun = forgotten.peek();
  tell(0);
  try {
    const options = {
      signal: controller.signal,
      onProgress: (done: { files: number }) => tell(done.files),
      onProblem: (path: string, error: unknown) => addProblem(path, reasonOf(error)),
    };
    for await (const file of hashAll(base, missing.map((one) => one.path), options)) found.set(file.path, file.sha256);
    return true;
  } catch (error) {
    if (!controller.signal.aborted) throw error;
    return false;
  } finally {
    running.value = null;
    if (begun === forgotten.peek()) hashes.value = new Map([...hashes.peek(), ...found]);
  }
}
