/** Writes what is published: into the folder of the files, as a new folder, as a zip, or the HTML alone. */
import { makeZip } from "client-zip";
import { joinPath, PlaceError, reasonOf, type Place } from "../shared/files/place";
import { addProblem, showToast } from "../shared/messages";
import { sha256OfBlob } from "../shared/hashing";
import { chooseTarget, download } from "../shared/save";
import {
  findPages,
  isHidden,
  isOwnPage,
  LIST_NAME,
  listBelow,
  listFolder,
  parseSums,
} from "../shared/transmittal/delivery";
import { parseTransmittal, stateOf, textOf, type Transmittal } from "../shared/transmittal/data";
import { refreshPlace } from "../shared/folderShell";
import { makePage } from "../shared/transmittal/page";
import { publish, type Published } from "../shared/transmittal/publishing";
import { formatData } from "../shared/transmittal/writing";
import { visible } from "../shared/visible";
import { checkWritten, doWork, pickPlace, show } from "./loading";
import { nameOf, type Draft, type Row } from "./model/draft";
import type { Target } from "./model/target";
import { draft, keep, loaded } from "./state";
import { text } from "./text";

const words = text.publish;
const NO_FILES = { place: null, folder: "", list: null, report: null } as const;

/** Returns the page that a published transmittal is made of. */
export async function readViewer(): Promise<string> {
  const packed = Uint8Array.from(atob(VIEWER), (letter) => letter.charCodeAt(0));
  return new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"))).text();
}

/** Writes the transmittal of a draft, and its files, where the person said. */
export async function writeTransmittal(transmittal: Transmittal, given: Draft, target: Target, into: Place | null): Promise<void> {
  const made = publish(transmittal, await readViewer());
  try {
    if (!(await writeTo(made, transmittal, given, target, into))) return;
    keep(given);
    showToast(words.done(visible(made.page.name)));
  } catch (error) {
    addProblem(made.page.name, reasonOf(error));
  }
}

/** What is written is the draft as it was when it was published: it can be edited on while its files are written. */
async function writeTo(made: Published, transmittal: Transmittal, given: Draft, target: Target, into: Place | null): Promise<boolean> {
  const isDraft = stateOf(transmittal) === "draft";
  const rows = given.rows.filter((row) => row.source);
  if (target === "html" || target === "zip") {
    if (target === "html") saveHtml(made.page.name, made.page.html);
    else if (!(await writeZip(made, rows))) return false;
    if (!isDraft) await show({ page: { name: made.page.name, transmittal }, ...NO_FILES });
    return true;
  }
  const place = target === "into" ? into : await pickPlace();
  if (!place) return false;
  if (!place.write || !(await mayWrite(place))) throw new PlaceError("permission", words.notAllowed);
  const folder = target === "into" ? "" : made.folder;
  if (target === "folder" && !(await writeFiles(place, folder, rows))) return false;
  await writePage(place, folder, made, transmittal);
  // Read back from where it is, it is shown as whoever gets it will see it.
  if (!isDraft) await checkWritten(place, folder, made.page.name);
  return true;
}

/** Asks whether a place may be written in, where the browser asks; the bar shows what was answered. */
async function mayWrite(place: Place): Promise<boolean> {
  const allowed = (await place.askToWrite?.()) ?? false;
  refreshPlace();
  return allowed;
}

export function saveHtml(name: string, html: string): void {
  download(name, new Blob([html], { type: "text/html;charset=utf-8" }));
}

async function writeFiles(place: Place, folder: string, rows: readonly Row[]): Promise<boolean> {
  if (await place.hasFolder?.(folder)) throw new PlaceError("exists", words.folderThere);
  const isDone = await doWork(words.writing, async ({ signal, onProgress }) => {
    await place.makeFolder?.(folder);
    for (const [done, row] of rows.entries()) {
      signal.throwIfAborted();
      onProgress?.(done, rows.length);
      await place.write!(joinPath(folder, pathOf(row)), await openUnchanged(row, signal), { mustNotExist: true });
    }
    return true;
  });
  if (!isDone) throw new PlaceError("unwritten", words.stopped(folder));
  return true;
}

const pathOf = (row: Row) => joinPath(row.path, nameOf(row));

/**
 * Returns the bytes of a row; throws where they are not those that the list says.
 *
 * They are those of the file as it was opened: a browser reads no file that has changed since.
 */
async function openUnchanged(row: Row, signal: AbortSignal): Promise<File> {
  const { place, path } = row.source!;
  const file = await place.open(path);
  const sha256 = await sha256OfBlob(file, { signal }).catch((error: unknown) => {
    signal.throwIfAborted();
    throw new PlaceError("unreadable", `${path}: ${reasonOf(error)}`);
  });
  if (sha256 !== row.sha256) throw new PlaceError("unreadable", words.changed(path));
  return file;
}

async function writePage(place: Place, folder: string, made: Published, transmittal: Transmittal): Promise<void> {
  const isDraft = stateOf(transmittal) === "draft";
  const list = listBelow(await listFolder(place), folder);
  const found = await findPages(place, folder, list, (path, why) => {
    throw new PlaceError("format", `${path}: ${why}`);
  });
  const number = textOf(transmittal.payload, "trackingNumber");
  const pages = found.filter((one) => isOwnPage(one, number));
  const published = pages.find((one) => stateOf(one.transmittal) !== "draft");
  if (published) throw new PlaceError("exists", words.already(published.name));
  const drafts = pages.map((one) => one.name);
  if (made.sums !== null) await writeSums(place, joinPath(folder, LIST_NAME), made.sums);
  const mustNotExist = !(isDraft && drafts.includes(made.page.name));
  await place.write!(joinPath(folder, made.page.name), made.page.html, { mustNotExist });
  // A draft goes only when what takes its place is there.
  if (!isDraft) for (const name of drafts) await place.remove?.(joinPath(folder, name));
}

/** What was found changed must not become what is right: a list that tells of other bytes stays. */
async function writeSums(place: Place, path: string, sums: string): Promise<void> {
  const before = await place.open(path).then(
    (file) => file.text(),
    (error: unknown) => {
      if (error instanceof PlaceError && error.kind === "absent") return "";
      throw error;
    },
  );
  const told = new Map(parseSums(before).map((file) => [file.path, file.sha256]));
  for (const file of parseSums(sums)) {
    if ((told.get(file.path) ?? file.sha256) !== file.sha256) throw new PlaceError("exists", words.sumsDiffer(file.path));
  }
  await place.write!(path, sums, { mustNotExist: false });
}

async function writeZip(made: Published, rows: readonly Row[]): Promise<boolean> {
  const target = await chooseTarget(`${made.folder}.zip`);
  if (!target) return false;
  const isDone = await doWork(words.writing, async ({ signal, onProgress }) => {
    const inFolder = (path: string) => `${made.folder}/${path}`;
    let failure: unknown = null;
    async function* files() {
      for (const [done, row] of rows.entries()) {
        signal.throwIfAborted();
        onProgress?.(done, rows.length);
        const file = await openUnchanged(row, signal).catch((error: unknown) => {
          failure = error;
          throw error;
        });
        yield { name: inFolder(pathOf(row)), input: file, lastModified: new Date(file.lastModified), size: file.size };
      }
      yield { name: inFolder(made.page.name), input: made.page.html };
      if (made.sums !== null) yield { name: inFolder(LIST_NAME), input: made.sums };
    }
    try {
      await target.write(makeZip(files(), { buffersAreUTF8: true }));
    } catch (error) {
      throw failure ?? error; // whoever reads a stream is told less by some browsers
    }
    return true;
  });
  return isDone ?? false;
}

/** Returns how many files of a folder are not in the list, and would be reported so. */
export async function countUnlisted(place: Place): Promise<number> {
  const list = await listFolder(place);
  const number = draft.peek().fields.trackingNumber ?? "";
  const found = await findPages(place, "", list, () => undefined);
  const pages = new Set(found.filter((one) => isOwnPage(one, number)).map((one) => one.name));
  const listed = new Set(draft.peek().rows.map(pathOf));
  return [...list.files.keys()].filter((path) => !isHidden(path) && !pages.has(path) && !listed.has(path)).length;
}

/** Returns the path of the HTML that is shown in its place. */
function pathOfLoaded(name: string, folder: string): string {
  return name.startsWith("../") ? name.slice(3) : joinPath(folder, name);
}

/** Whether a place has a file: an HTML that was opened alone may not be in the folder of its files. */
async function isThere(place: Place, path: string): Promise<boolean> {
  return place.open(path).then(
    () => true,
    (error: unknown) => !(error instanceof PlaceError && error.kind === "absent"),
  );
}

/** Saves a transmittal that has one more signature: where it was, if it may be written there; else as a download. */
export async function saveSigned(transmittal: Transmittal): Promise<void> {
  const opened = loaded.peek();
  if (!opened) return;
  const { page, place, folder } = opened;
  const html = makePage(transmittal, await readViewer());
  const path = pathOfLoaded(page.name, folder);
  if (place?.write && (await isThere(place, path)) && (await mayWrite(place))) {
    // Somebody else may have signed it since it was read: only what was read is replaced.
    const there = parseTransmittal(await (await place.open(path)).text());
    if (formatData(there) !== formatData(page.transmittal)) throw new PlaceError("exists", words.changed(path));
    await place.write(path, html, { mustNotExist: false });
    showToast(text.saved(visible(path)));
  } else saveHtml(path, html);
  await show({ ...opened, page: { ...page, transmittal }, report: null });
  const shown = loaded.peek();
  if (shown && opened.report) loaded.value = { ...shown, report: { ...opened.report, judged: shown.judged } };
}

/** Writes a document beside the transmittal that is shown, or downloads it; returns whether it was written there. */
export async function writeBeside(name: string, transmittal: Transmittal): Promise<boolean> {
  const opened = loaded.peek();
  const html = makePage(transmittal, await readViewer());
  if (opened?.place?.write && (await mayWrite(opened.place))) {
    await opened.place.write(joinPath(opened.folder, name), html, { mustNotExist: true });
    return true;
  }
  saveHtml(name, html);
  return false;
}

/** Downloads the transmittal that is shown, in the page of this version. */
export async function downloadLoaded(): Promise<void> {
  const opened = loaded.peek();
  if (opened) saveHtml(opened.page.name.replace(/^\.\.\//, ""), makePage(opened.page.transmittal, await readViewer()));
}

