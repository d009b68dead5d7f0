/** Reads the loose files of somebody who asks whether they are the official ones, and what they are compared with. */
import { effect, signal, type Signal } from "@preact/signals";
import { nameOf, reasonOf, type Place } from "../shared/files/place";
import { sha256OfBlob } from "../shared/hashing";
import { addProblem, formatNumber, showToast } from "../shared/shell";
import { canRead, forgotten, hashes, hashFiles } from "./hashes";
import { readDetails, waitForPlace } from "./loading";
import { filesToHash, knownFiles, type LooseFile } from "./model/check";
import { archive, running } from "./state";
import { screensText } from "./textScreens";

const words = screensText.check;
/** More than these are no loose files, but an archive to be opened. */
const MOST_FILES = 5_000;

export const loose: Signal<readonly LooseFile[]> = signal([]);

/** Read the files of a place, then those of the archive that they may be; of what is stopped nothing is said. */
export async function checkPlace(from: Place, count: number): Promise<void> {
  const controller = new AbortController();
  const { signal: stopped } = controller;
  const found: LooseFile[] = [];
  const tell = (done: number) => {
    running.value = { label: words.reading(formatNumber(done), formatNumber(Math.max(done, count))), stop: () => controller.abort() };
  };
  tell(0);
  try {
    reading: for await (const batch of from.batches({ signal: stopped, onProblem: addProblem })) {
      for (const entry of batch) {
        if (entry.isFolder) continue;
        if (found.length >= MOST_FILES) {
          addProblem(from.name, words.most(formatNumber(MOST_FILES)));
          break reading;
        }
        found.push(await readLoose(from, entry.path, stopped));
        tell(found.length);
      }
    }
  } catch (error) {
    if (!stopped.aborted) addProblem(from.name, reasonOf(error));
  } finally {
    running.value = null;
  }
  if (stopped.aborted || !(await readArchive(found))) {
    showToast(words.stopped);
    return;
  }
  const known = new Map([...loose.peek(), ...found].map((file) => [file.path, file]));
  loose.value = [...known.values()];
}

// What is opened or read again may have other bytes: it is compared anew.
effect(() => {
  if (forgotten.value && loose.peek().length) void readArchive(loose.peek());
});

async function readLoose(from: Place, path: string, stopped: AbortSignal): Promise<LooseFile> {
  const name = nameOf(path);
  try {
    const file = await from.open(path);
    return { path, name, size: file.size, sha256: await sha256OfBlob(file, { signal: stopped }) };
  } catch (error) {
    if (stopped.aborted) throw error;
    addProblem(path, `${words.cannotRead}: ${reasonOf(error)}`);
    return { path, name, size: -1, sha256: null };
  }
}

/** Read the bytes of those files of the archive that have the size or the name of a loose one; false where it was stopped. */
async function readArchive(found: readonly LooseFile[]): Promise<boolean> {
  await waitForPlace();
  if (!canRead() || !archive.peek()) return true;
  if (!(await readDetails())) return false;
  const sums = hashes.peek();
  const known = knownFiles(archive.peek()!, (file) => sums.get(file.path));
  return hashFiles(filesToHash(known, found), words.hashing);
}
