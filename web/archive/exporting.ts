/** Saves what is selected, or else what is shown: as CSV, JSON, an HTML report, a zip, or lists of hashes. */
import { formatCsv } from "../shared/csv";
import { PlaceError } from "../shared/files";
import { reasonOf } from "../shared/files/place";
import { formatSums, hashAll, type HashedFile } from "../shared/hashing";
import { canStream, chooseTarget, download, LARGE_IN_MEMORY } from "../shared/save";
import { addProblem, askConfirm, formatNumber, formatSize, showToast } from "../shared/shell";
import { namesInZip, zipOf } from "../shared/zip";
import { readDetails, tell } from "./loading";
import type { Archive, FileRow } from "./model/types";
import { formatReport } from "./report";
import { archive, chosen, place, query, running } from "./state";
import { shownFiles } from "./shown";
import { text } from "./text";

const COLUMNS = [
  "trackingNumber", "title", "revision", "status", "extension", "size", "bytes", "path", "modified",
  "party", "kind", "transmittal", "date", "sha256", "current",
] as const;

/** The files that an export takes: those that are selected, in the order of the list, else all that are shown. */
export function filesToExport(): readonly FileRow[] {
  const known = archive.peek();
  if (!known) return [];
  if (!chosen.peek().size) return shownFiles.peek();
  return known.files.filter((file) => chosen.peek().has(file.id));
}

/** Whether a file belongs to the current revision of its document. */
export function isCurrent(known: Archive, file: FileRow): boolean | null {
  const document = file.counts ? known.byTrackingNumber.get(file.tracking_number) : undefined;
  return document ? document.current.text === file.revision : null;
}

export async function exportCsv(): Promise<void> {
  await withFiles((files, known) => {
    const titles = COLUMNS.map((column) => text.exports.columns[column]);
    save("archive-export.csv", formatCsv([titles, ...files.map((file) => cellsOf(file, known))]), "text/csv;charset=utf-8", files.length);
  });
}

function cellsOf(file: FileRow, known: Archive): (string | number)[] {
  const current = isCurrent(known, file);
  return [
    file.tracking_number, file.title, file.revision, file.status, file.extension,
    file.size === undefined ? "" : formatSize(file.size), file.size ?? "", file.path, isoTime(file.modified),
    file.party, file.kind, file.transmittal, file.date, file.sha256 ?? "",
    current === null ? "" : current ? text.exports.yes : text.exports.superseded,
  ];
}

export async function exportJson(): Promise<void> {
  await withFiles((files, known) => {
    const rows = files.map((file) => ({
      tracking_number: file.tracking_number,
      title: file.title,
      revision: file.revision,
      status: file.status,
      extension: file.extension,
      party: file.party,
      kind: file.kind,
      transmittal: file.transmittal,
      date: file.date,
      path: file.path,
      size: file.size ?? null,
      modified: isoTime(file.modified) || null,
      sha256: file.sha256 ?? null,
      is_current: isCurrent(known, file),
    }));
    save("archive-export.json", `${JSON.stringify(rows, null, 2)}\n`, "application/json", files.length);
  });
}

export async function exportReport(): Promise<void> {
  await withFiles((files, known) => {
    const heading = `${text.exports.report}: ${place.peek()?.name ?? ""}`;
    const made = text.exports.made(isoTime(Date.now()));
    const filter = query.peek() ? text.exports.filter(query.peek()) : "";
    save("archive-report.html", formatReport(heading, [made, filter], files, known), "text/html;charset=utf-8", files.length);
  });
}

/** Save a zip of the files; a file that cannot be read stops it, so that no zip is short of one. */
export async function exportZip(): Promise<void> {
  const base = place.peek();
  const files = filesToExport();
  if (!base || !files.length) return tellNothing();
  const name = `archive-${isoTime(Date.now()).replace(/[-:]/g, "")}.zip`;
  const bytes = files.reduce((sum, file) => sum + (file.size ?? 0), 0);
  if (!canStream() && bytes > LARGE_IN_MEMORY && !(await askConfirm(text.actions.zip, text.exports.large(formatSize(bytes))))) return;
  // Asked for first: a browser forgets the click while something else is waited for.
  const target = await chooseTarget(name);
  if (!target) return;
  await run(async (signal) => {
    let failure: unknown;
    const members = namesInZip(files.map((file) => file.path));
    const stream = zipOf(base, members, {
      signal,
      onFile: (done) => report(text.loading.zipping(formatNumber(done), formatNumber(files.length)), done / files.length),
      onFailure: (error) => (failure = error),
    });
    try {
      await target.write(stream);
      showToast(text.exports.done(name, text.counts.files(files.length, formatNumber(files.length))));
    } catch (error) {
      throw failure ?? error;
    }
  }, text.exports.zipFailed);
}

export async function exportSums(): Promise<void> {
  await hashShown((hashed, files) => {
    save("SHA256SUMS", formatSums(hashed), "text/plain;charset=utf-8", hashed.length, files);
  });
}

export async function exportHashReport(): Promise<void> {
  await hashShown((hashed, files) => {
    const { path, sha256, bytes, modified } = text.exports.columns;
    const rows = hashed.map((one) => [one.path, one.sha256, one.size, isoTime(one.modified)]);
    const csv = formatCsv([[path, sha256, bytes, modified], ...rows]);
    save("archive-hashes.csv", csv, "text/csv;charset=utf-8", hashed.length, files);
  });
}

async function hashShown(then: (hashed: readonly HashedFile[], files: number) => void): Promise<void> {
  const base = place.peek();
  const files = filesToExport();
  if (!base || !files.length) return tellNothing();
  await run(async (signal) => {
    const hashed: HashedFile[] = [];
    let told = 0;
    const options = {
      signal,
      onProblem(path: string, error: unknown) {
        if (error instanceof PlaceError && (error.kind === "permission" || error.kind === "signedOut")) throw error;
        addProblem(path, reasonOf(error));
      },
      onProgress(done: { files: number; bytes: number }) {
        if (performance.now() - told < 100) return;
        told = performance.now();
        const label = text.loading.hashing(formatNumber(done.files), formatNumber(files.length), formatSize(done.bytes));
        report(label, done.files / files.length);
      },
    };
    for await (const one of hashAll(base, files.map((file) => file.path), options)) hashed.push(one);
    if (hashed.length) then(hashed, files.length);
  }, text.exports.notHashed);
}

let stopRunning: AbortController | null = null;

function report(label: string, part: number): void {
  const controller = stopRunning;
  if (controller) running.value = { label, part, stop: () => controller.abort() };
}

/** Run what takes long, and can be stopped; what goes wrong is told, and nothing is saved. */
async function run(work: (signal: AbortSignal) => Promise<void>, whatFailed: string): Promise<void> {
  stopRunning?.abort();
  const controller = new AbortController();
  stopRunning = controller;
  report(text.loading.begin(place.peek()?.name ?? ""), 0);
  try {
    await work(controller.signal);
  } catch (error) {
    const base = place.peek();
    if (controller.signal.aborted) showToast(text.exports.stopped);
    else if (error instanceof PlaceError && base && (error.kind === "permission" || error.kind === "signedOut")) tell(error, base);
    else addProblem(whatFailed, reasonOf(error));
  } finally {
    if (stopRunning === controller) {
      stopRunning = null;
      running.value = null;
    }
  }
}

async function withFiles(work: (files: readonly FileRow[], known: Archive) => void): Promise<void> {
  if (!filesToExport().length) return tellNothing();
  // Sizes and times of a folder on the disk are known when each file was opened once.
  if (!(await readDetails())) return showToast(text.exports.stopped);
  work(filesToExport(), archive.peek()!);
}

function tellNothing(): void {
  showToast(text.exports.nothing);
}

function save(name: string, content: string, type: string, count: number, all = count): void {
  download(name, new Blob([content], { type }));
  if (count < all) showToast(text.exports.hashed(name, formatNumber(count), formatNumber(all)));
  else showToast(text.exports.done(name, text.counts.files(count, formatNumber(count))));
}

/** A time in UTC, to the second; empty where it is not known. */
function isoTime(time: number | undefined): string {
  if (time === undefined || Number.isNaN(new Date(time).getTime())) return "";
  return `${new Date(time).toISOString().slice(0, 19)}Z`;
}
