/** Opens a place: by its index where it has one, else file by file, and keeps what is shown in step. */
import { formatIndex, fromIndex, PlaceError, type Entry, type Place } from "../shared/files";
import { runAll } from "../shared/files/batches";
import { fileEntry, INDEX_PATH, reasonOf, splitPath } from "../shared/files/place";
import { refreshPlace } from "../shared/folderShell";
import { addProblem, clearProblems, formatNumber, setFragment, showToast, status } from "../shared/shell";
import { download } from "../shared/save";
import { buildArchive } from "./model/build";
import type { LeftOut, ListedFile } from "./model/types";
import { forgetHashes } from "./hashes";
import { archive, banner, chosen, place, replaceArchive, running } from "./state";
import { text } from "./text";

/** Sizes and times of more files than this are read only when they are asked for. */
const MOST_READ_AT_ONCE = 20_000;
const FILES_AT_ONCE = 8;
const TELL_EVERY_MS = 200;
const LONGEST_FRAME_MS = 150;

let current: AbortController | null = null;
/** Ends the reading of sizes and times, which can be stopped by itself. */
let readingDetails: AbortController | null = null;
/** The opening that was begun last. */
let opening: Promise<void> = Promise.resolve();
let files: ListedFile[] = [];
let leftOut: LeftOut[] = [];

/** What a place that is read on the disk does not tell by itself; null of a file that cannot be read. */
const details = new Map<string, { size: number; modified: number } | null>();

export function stop(): void {
  current?.abort();
  readingDetails?.abort();
}

/** Show the files of a place; what was shown before is forgotten. */
export function openPlace(next: Place): Promise<void> {
  return (opening = readPlace(next));
}

/** Wait until the place that was opened last is read, or its reading has ended in another way. */
export async function waitForPlace(): Promise<void> {
  let last;
  do await (last = opening);
  while (last !== opening);
}

async function readPlace(next: Place): Promise<void> {
  const signal = begin(next);
  try {
    const index = await next.readIndex?.();
    signal.throwIfAborted();
    if (index) {
      if (await showIndex(index, next, signal)) void checkIndex(next, signal);
      return;
    }
    await readAll(next, signal);
  } catch (error) {
    tell(error, next);
  } finally {
    if (current?.signal === signal) running.value = null;
  }
  if (current?.signal === signal && next.kind === "local" && files.length <= MOST_READ_AT_ONCE) await readDetails();
}

/** Show the files that an index lists, without the folder that it is of. */
export async function openIndexFile(file: File): Promise<void> {
  const before = current;
  let next: Place;
  try {
    const json = await file.text();
    if (current !== before) return; // something else was opened meanwhile
    next = fromIndex(json, undefined, file.name);
  } catch (error) {
    addProblem(text.errors.cannotOpen(file.name), reasonOf(error));
    return;
  }
  await openPlace(next);
  if (place.peek() === next && archive.peek()) banner.value = { kind: "note", message: text.index.fromFile };
}

function begin(next: Place): AbortSignal {
  stop();
  current = new AbortController();
  const { signal } = current;
  signal.addEventListener("abort", () => (running.value = null));
  clearProblems();
  details.clear();
  forgetHashes();
  files = [];
  leftOut = [];
  banner.value = null;
  // What is read again stays as it is until it was read.
  if (place.peek() !== next) {
    chosen.value = new Set();
    archive.value = null;
  }
  place.value = next;
  refreshPlace();
  running.value = { label: text.loading.begin(next.name), stop };
  return signal;
}

/** Read a place file by file, and show what is known meanwhile. */
async function readAll(next: Place, signal: AbortSignal): Promise<void> {
  // An index is read as a whole: to show a part of it would only make the rest later.
  const showsParts = archive.peek() === null && next.kind !== "index";
  let shownCount = 0;
  let [shownAt, toldAt] = [-Infinity, performance.now()];
  let drawing: Promise<void> | null = null;
  try {
    for await (const batch of next.batches({ signal, onProblem: leaveOut, turn: () => drawing })) {
      for (const entry of batch) if (!entry.isFolder) files.push(entry);
      const now = performance.now();
      if (now - toldAt > TELL_EVERY_MS / 2) {
        toldAt = now;
        running.value = { label: `${text.loading.begin(next.name)}: ${text.loading.counted(formatNumber(files.length))}`, stop };
      }
      // The first rows are shown at once; each time after that, when four times as many files are known.
      if (showsParts && now - shownAt > TELL_EVERY_MS && files.length && files.length >= 4 * shownCount) {
        replaceArchive(buildArchive(files, leftOut));
        shownCount = files.length;
        // What is read meanwhile would keep the browser from drawing.
        await (drawing = drawn());
        drawing = null;
        shownAt = performance.now();
      }
    }
  } catch (error) {
    if (!signal.aborted || current?.signal !== signal) throw error;
    showToast(text.loading.stopped);
  }
  if (current?.signal === signal) replaceArchive(buildArchive(files, leftOut));
}

async function showIndex(json: string, base: Place, signal: AbortSignal): Promise<boolean> {
  try {
    for await (const batch of fromIndex(json, base).batches({ signal, onProblem: leaveOut })) {
      for (const entry of batch) if (!entry.isFolder) files.push(entry);
    }
  } catch (error) {
    if (!(error instanceof PlaceError)) throw error;
    // An index that cannot be read is no reason not to read the folder.
    addProblem(INDEX_PATH.join("/"), error.message);
    files = [];
    await readAll(base, signal);
    return false;
  }
  replaceArchive(buildArchive(files, leftOut));
  return true;
}

/** Compare what an index says with the folder, and show the folder as it is where they differ. */
async function checkIndex(base: Place, signal: AbortSignal): Promise<void> {
  const known = new Map(files.map((file) => [file.path, file]));
  const found: ListedFile[] = [];
  const hidden: ListedFile[] = [];
  const problems: LeftOut[] = [];
  const tellProgress = progress((done) => text.loading.checking(done, formatNumber(known.size)), known.size * 2);
  try {
    for await (const batch of base.batches({ signal, onProblem: (path, reason) => void problems.push({ path, reason }) })) {
      for (const entry of batch) if (!entry.isFolder) found.push(entry);
      tellProgress(found.length);
    }
    let done = found.length;
    const check = found.filter((file) => file.size === undefined && known.has(file.path));
    await runAll(check, FILES_AT_ONCE, async (file) => {
      await readDetail(base, file.path);
      tellProgress((done += 1));
    }, signal);
    // What the browser hides is not gone.
    const paths = new Set(found.map((file) => file.path));
    const missing = [...known.values()].filter((file) => !paths.has(file.path));
    await runAll(missing, FILES_AT_ONCE, async (file) => {
      if (await isHidden(base, file.path)) hidden.push(file);
    }, signal);
  } catch (error) {
    tell(error, base);
    return;
  } finally {
    if (current?.signal === signal) running.value = null;
  }
  if (current?.signal !== signal) return;
  for (const file of hidden) addProblem(file.path, text.index.hidden);
  const now = [...found.map(withDetail), ...hidden];
  const added = now.filter((file) => !known.has(file.path)).length;
  const gone = known.size - (now.length - added);
  const changed = now.filter((file) => isChanged(known.get(file.path), file)).length;
  if (!added && !gone && !changed && !problems.length) {
    status.value = text.index.same;
    return;
  }
  files = now.map((file) => (file.size === undefined ? asInIndex(file, known.get(file.path)) : file));
  leftOut = problems;
  for (const one of problems) addProblem(one.path, one.reason);
  replaceArchive(buildArchive(files, leftOut));
  if (!added && !gone && !changed) return;
  const count = [added, gone, changed].map(formatNumber) as [string, string, string];
  banner.value = { kind: "note", message: text.index.changed(...count), label: text.actions.saveIndex, run: saveIndex };
}

/** A file of which only the index knows more than the path. */
function asInIndex(file: ListedFile, known: ListedFile | undefined): ListedFile {
  return known ? { path: file.path, size: known.size, modified: known.modified, sha256: file.sha256 } : file;
}

/** Whether a file may be there, and the browser neither lists nor opens files of its name. */
async function isHidden(base: Place, path: string): Promise<boolean> {
  return base.open(path).then(
    () => true,
    (error: unknown) => error instanceof PlaceError && error.kind === "refused",
  );
}

/** Whether a file is another than an index says; times there are to the second. */
function isChanged(known: ListedFile | undefined, file: ListedFile): boolean {
  if (!known || file.size === undefined) return false;
  const seconds = (time: number | undefined) => Math.floor((time ?? 0) / 1000);
  return known.size !== file.size || seconds(known.modified) !== seconds(file.modified);
}

/** Read sizes and times of all files of a folder on the disk, and take them into the list; false where that was stopped. */
export async function readDetails(): Promise<boolean> {
  const base = place.peek();
  const opened = current;
  if (!base || !opened || base.kind !== "local") return true;
  const wanted = files.filter((file) => file.size === undefined && !details.has(file.path));
  if (wanted.length) {
    const tellProgress = progress((done) => text.loading.details(done, formatNumber(wanted.length)), wanted.length);
    let done = 0;
    tellProgress(done);
    readingDetails?.abort();
    const controller = new AbortController();
    readingDetails = controller;
    try {
      await runAll([...wanted].reverse(), FILES_AT_ONCE, async (file) => {
        await readDetail(base, file.path);
        tellProgress((done += 1));
      }, controller.signal);
    } catch (error) {
      tell(error, base);
      return false;
    } finally {
      if (readingDetails === controller) running.value = null;
    }
  }
  if (current !== opened) return false;
  if (wanted.length || files.some((file) => file.size === undefined && details.get(file.path))) {
    files = files.map(withDetail);
    replaceArchive(buildArchive(files, leftOut));
  }
  return true;
}

/** Return size and time of a file, where they are known; where not, they are read, and `then` is called. */
export function detailOf(file: ListedFile, then: () => void): { size: number; modified: number } | null {
  if (file.size !== undefined && file.modified !== undefined) return { size: file.size, modified: file.modified };
  const known = details.get(file.path);
  if (known !== undefined) return known;
  const base = place.peek();
  if (base?.kind === "local" && !asked.has(file.path)) {
    asked.add(file.path);
    // The rows are drawn first.
    void drawn()
      .then(() => readDetail(base, file.path))
      .catch((error: unknown) => tell(error, base))
      .finally(() => {
        asked.delete(file.path);
        then();
      });
  }
  return null;
}
const asked = new Set<string>();

async function readDetail(base: Place, path: string): Promise<void> {
  try {
    const file = await base.open(path);
    details.set(path, { size: file.size, modified: file.lastModified });
  } catch (error) {
    // It is told once, and the file is not asked again.
    const isTold = details.get(path) === null;
    details.set(path, null);
    if (error instanceof PlaceError && error.kind === "permission") throw error;
    if (!isTold) addProblem(path, reasonOf(error));
  }
}

function withDetail(file: ListedFile): ListedFile {
  const detail = file.size === undefined && details.get(file.path);
  return detail ? { ...file, ...detail } : file;
}

/** Write the index into the folder, after the person has allowed it; where that cannot be, offer it as a download. */
export async function saveIndex(): Promise<void> {
  const base = place.peek();
  if (!base) return;
  const mayWrite = base.askToWrite && base.write && (await base.askToWrite().catch(() => false));
  if (mayWrite) refreshPlace();
  // An index of a part would hide the rest.
  await waitForPlace();
  if (place.peek() !== base) return;
  if (current?.signal.aborted) return showToast(text.index.partOnly);
  if (!(await readDetails())) return;
  if (mayWrite) {
    const [folder] = INDEX_PATH;
    const isOurs = (await base.readIndex?.()) !== null;
    const isThere = !isOurs && (await base.hasFolder?.(folder)) === true;
    if (!isThere) {
      try {
        await base.write!(INDEX_PATH.join("/"), formatIndex(asEntries()), { mustNotExist: false });
        showToast(text.index.saved);
        banner.value = null;
        return;
      } catch (error) {
        tell(error, base);
      }
    } else showToast(text.index.notOurs);
  }
  download("index.json", formatIndex(asEntries()), "application/json");
  showToast(text.index.downloaded);
}

function asEntries(): Entry[] {
  return files.map((file) => {
    const { path, size, modified } = withDetail(file);
    return fileEntry(...splitPath(path), size, modified, path);
  });
}

/** Tell of what failed: as a banner where the person can do something about it, else as a problem that stays. */
export function tell(error: unknown, base: Place): void {
  if (error instanceof DOMException && error.name === "AbortError") return;
  const kind = error instanceof PlaceError ? error.kind : "";
  if (kind === "permission" && base.askToRead) {
    banner.value = {
      kind: "permission",
      message: text.errors.permission,
      label: text.errors.allowAgain,
      run: async () => {
        if (await base.askToRead!()) await reload();
      },
    };
  } else if (kind === "signedOut") {
    banner.value = { kind: "signedOut", message: text.errors.signedOut, label: text.errors.loadAgain, run: reload };
  } else addProblem(text.errors.cannotOpen(base.name), reasonOf(error));
}

/** Read the place again; the view and what is selected stay. */
export async function reload(): Promise<void> {
  const base = place.peek();
  if (base) await openPlace(base);
}

/** Forget the choices that belong to what was open before. */
export function forgetView(): void {
  setFragment({ doc: null, file: null, party: null, type: null, kind: null, mod: null, selected: null });
}

function leaveOut(path: string, reason: string): void {
  leftOut.push({ path, reason });
  addProblem(path, reason);
}

/** Return what tells how far something is, some times a second. */
function progress(label: (done: string) => string, all: number): (done: number) => void {
  let told = 0;
  const controller = current;
  return (done) => {
    const now = performance.now();
    if (now - told < TELL_EVERY_MS || current !== controller) return;
    told = now;
    running.value = { label: label(formatNumber(Math.min(done, all))), part: Math.min(1, done / Math.max(1, all)), stop };
  };
}

/** Let the browser draw, and answer to the person; a page that nobody sees is not drawn, and waits no longer than this. */
function drawn(): Promise<void> {
  return new Promise((resolve) => {
    requestAnimationFrame(() => setTimeout(resolve));
    setTimeout(resolve, LONGEST_FRAME_MS);
  });
}
