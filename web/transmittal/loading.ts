/** The ways into the page: folders, zips and files that are dropped, chosen, pasted, or opened from a server. */
import { canPick, fromDrop, fromInput, fromPicker, fromServer, fromZip, type Place } from "../shared/files";
import { reasonOf as placeReasonOf } from "../shared/files/place";
import { isServed } from "../shared/served";
import { addProblem, showToast, status } from "../shared/messages";
import { formatJson } from "../shared/canonical";
import { parseTransmittal, reasonOf, stateOf, textOf, type Transmittal } from "../shared/transmittal/data";
import * as delivery from "../shared/transmittal/delivery";
import { KnownKeysError, parseKnownKeys, FORMAT as KNOWN_FORMAT } from "../shared/transmittal/knownKeys";
import { FORMAT as KEY_FORMAT } from "../shared/transmittal/keyFiles";
import { fieldsOfFolder } from "../shared/transmittal/publishing";
import { visible } from "../shared/visible";
import { askForKey, takeKnownKeys } from "./keys";
import { readIndex } from "./model/issued";
import { addFiles, EMPTY, isDelivered, makeRow, reviseOf, type Draft, type Row } from "./model/draft";
import { begin, change, choices, draft, earlier, goTo, isEmpty, issued, knownKeys, loaded, own, place, screen, today, work, type Loaded } from "./state";
import { text } from "./text";

/** How the index of an archive begins. */
const INDEX = /^\s*\{\s*"version"\s*:\s*\d+\s*,\s*"files"\s*:/;

let running: AbortController | null = null;

/** Does something long with what tells of its progress and stops it; returns null where it was stopped, and says so. */
export async function doWork<T>(
  label: (done: number, all: number) => string,
  run: (options: delivery.ReadOptions & { signal: AbortSignal }) => Promise<T>,
): Promise<T | null> {
  running?.abort();
  const mine = new AbortController();
  running = mine;
  const stop = () => mine.abort();
  const tell = (done: number, all: number) => {
    if (running === mine) work.value = { label: label(done, all), done, all, stop };
  };
  tell(0, 0);
  try {
    return await run({ signal: mine.signal, onProgress: tell });
  } catch (error) {
    if (!mine.signal.aborted) throw error;
    if (running === mine) showToast(text.stopped);
    return null;
  } finally {
    if (running === mine) {
      work.value = null;
      running = null;
    }
  }
}

/** Asks for a folder where the browser can, else for files. */
export async function pickPlace(): Promise<Place | null> {
  if (!canPick()) {
    const files = await pickFiles({ folder: true });
    return files.length ? fromInput(files) : null;
  }
  return fromPicker();
}

export function pickFiles(options: { folder?: boolean; accept?: string } = {}): Promise<File[]> {
  return new Promise((done) => {
    const input = document.createElement("input");
    input.type = "file";
    input.multiple = true;
    input.webkitdirectory = options.folder ?? false;
    input.accept = options.accept ?? "";
    input.addEventListener("change", () => done([...(input.files ?? [])]));
    input.addEventListener("cancel", () => done([]));
    input.click();
  });
}

/** Opens what is dropped anywhere on the page, unless a part of the page takes it for itself. */
export function followDrops(): void {
  addEventListener("drop", (event) => {
    if ((event.target as Element | null)?.closest?.("[data-takes-drops]")) return;
    event.preventDefault();
    void openDrop(event);
  });
}

async function openDrop(event: DragEvent): Promise<void> {
  const files = [...(event.dataTransfer?.files ?? [])];
  const dropped = await fromDrop(event);
  if (!dropped) {
    if (event.dataTransfer?.types.includes("Files")) addProblem(text.title, text.errors.nothing);
    return;
  }
  const only = dropped.kind === "input" && files.length === 1 ? files[0]! : null;
  if (only) await openFile(only);
  else await openPlace(dropped);
}

export async function openFiles(files: readonly File[]): Promise<void> {
  if (files.length === 1) await openFile(files[0]!);
  else if (files.length) await openPlace(fromInput(files));
}

/** Opens one file by what is in it: a transmittal, keys, a zip; any other one is a file to send. */
export async function openFile(file: File): Promise<void> {
  try {
    if (/\.zip$/i.test(file.name) && screen.peek() !== "edit") await openPlace(await fromZip(file));
    else if (/\.(html?|json|zddc-key)$/i.test(file.name) && (await openKnownKind(file))) return;
    else await openPlace(fromInput([file]));
  } catch (error) {
    addProblem(file.name, error instanceof KnownKeysError ? error.message : placeReasonOf(error));
  }
}

async function openKnownKind(file: File): Promise<boolean> {
  const content = await file.text();
  if (content.includes(KEY_FORMAT) && !/<html/i.test(content)) {
    askForKey(file);
    return true;
  }
  if (content.includes(KNOWN_FORMAT) && !/<html/i.test(content)) {
    takeKnownKeys(parseKnownKeys(content));
    return true;
  }
  if (INDEX.test(content)) {
    takeIndex(file.name, content);
    return true;
  }
  let transmittal: Transmittal;
  try {
    transmittal = parseTransmittal(content);
  } catch (error) {
    if (screen.peek() === "edit" && !/transmittal-data/.test(content)) return false;
    addProblem(file.name, text.check.damaged(reasonOf(error)));
    return true;
  }
  await openTransmittal({ name: file.name, transmittal });
  return true;
}

/** Compares the revisions in the list with what an archive has issued. */
function takeIndex(name: string, content: string): void {
  const documents = readIndex(content);
  if (!documents.size) {
    addProblem(name, text.issued.none);
    return;
  }
  issued.value = { name, documents };
  showToast(text.issued.opened(documents.size));
}

/** Opens a transmittal by the screen that is shown: to compare with, to go on with, or to check. */
async function openTransmittal(page: delivery.Page): Promise<void> {
  if (screen.peek() === "compare") {
    earlier.value = page;
    return;
  }
  if (stateOf(page.transmittal) === "draft") {
    openDraft(page.transmittal);
    showToast(text.openedAsDraft(visible(page.name)));
    return;
  }
  await show({ page, place: null, folder: "", list: null, report: null });
}

function openDraft(transmittal: Transmittal): void {
  begin(reviseOf(transmittal));
  goTo("edit");
}

/** Shows a transmittal and what it is worth. */
export async function show(opened: Omit<Loaded, "judged">): Promise<void> {
  const seen = opened.report?.judged ?? (await delivery.judgePage(opened.page, []));
  // Keys may have become known while it was read.
  const keys = knownKeys.peek();
  loaded.value = { ...opened, judged: delivery.judgeAgain(seen, keys), report: opened.report && delivery.judgeReport(opened.report, keys) };
  choices.value = null;
  place.value = opened.place;
  status.value = text.loaded(visible(opened.page.name));
  if (screen.peek() !== "view") goTo("check");
}

/** Opens a folder or a zip: one with a published transmittal is checked, from any other one a transmittal is made. */
export async function openPlace(from: Place): Promise<void> {
  if (screen.peek() === "edit") {
    await addPlace(from);
    return;
  }
  try {
    await doWork(text.edit.reading, async (options) => {
      const found = await delivery.findDelivery(from, options, (path, why) => addProblem(path, text.check.damaged(why)));
      const pages = delivery.mainPages(found.pages);
      const published = pages.filter((one) => stateOf(one.transmittal) !== "draft");
      const before = loaded.peek();
      const opened = before?.page;
      const meant = opened && !before.place && found.pages.find((one) => isSame(one, opened));
      if (screen.peek() === "compare" && pages[0]) {
        earlier.value = pages[0];
      } else if (meant && screen.peek() === "check") {
        // The page was opened alone before, and lies in its folder.
        await check(from, found, meant, options);
      } else if (published.length > 1) {
        choices.value = { pages: published, choose: (page) => void checkChosen(from, found, page) };
        loaded.value = null;
        goTo("check");
      } else if (published[0]) {
        await check(from, found, published[0], options);
      } else if (opened && screen.peek() === "check") {
        // The page was opened before; these are its files.
        await check(from, found, opened, options);
      } else if (screen.peek() === "check") {
        addProblem(from.name, text.check.noPage);
      } else await makeFrom(from, found, pages[0]?.transmittal ?? null, options);
    });
  } catch (error) {
    addProblem(from.name, placeReasonOf(error));
  }
}

/** Whether two pages are one transmittal, that may have been signed again. */
function isSame(one: delivery.Page, other: delivery.Page): boolean {
  return formatJson(one.transmittal.payload) === formatJson(other.transmittal.payload);
}

async function checkChosen(from: Place, found: delivery.Delivery, page: delivery.Page): Promise<void> {
  try {
    await doWork(text.edit.reading, (options) => check(from, found, page, options));
  } catch (error) {
    addProblem(from.name, placeReasonOf(error));
  }
}

async function check(from: Place, found: delivery.Delivery, page: delivery.Page, options: delivery.ReadOptions): Promise<void> {
  const report = await delivery.checkDelivery(from, found, page, knownKeys.peek(), options);
  options.signal?.throwIfAborted();
  await show({ page, place: from, folder: found.folder, list: found.list, report });
}

/** Checks the files again, such as after they were mended. */
export async function checkAgain(): Promise<void> {
  const opened = loaded.peek();
  if (!opened?.place) return;
  const { place: from, page } = opened;
  try {
    await doWork(text.edit.reading, async (options) => {
      const found = await delivery.findDelivery(from, options, (path, why) => addProblem(path, text.check.damaged(why)));
      const same = found.pages.find((one) => one.name === page.name) ?? page;
      await check(from, found, same, options);
    });
  } catch (error) {
    addProblem(from.name, placeReasonOf(error));
  }
}

/** Begins a transmittal with the files of a folder, and with what its name says; goes on with a draft in it. */
async function makeFrom(
  from: Place,
  found: delivery.Delivery,
  begun: Transmittal | null,
  options: delivery.ReadOptions & { signal: AbortSignal },
): Promise<void> {
  const base = begun ? reviseOf(begun) : newDraft(from.kind === "local" ? from.name : "");
  const rows = await readRows(from, options, base.fields.trackingNumber ?? "", found);
  begin({ ...base, rows }, from);
  goTo("edit");
  status.value = text.edit.added(rows.length);
}

/** Returns a draft with what this person's own copy says, and with what the name of a folder does. */
export function newDraft(folder = ""): Draft {
  const { from, client, project, projectNumber, leftLogo, rightLogo } = own.peek();
  const fields = { date: today(), from, client, project, projectNumber, ...fieldsOfFolder(folder, {}) };
  return { ...EMPTY, fields, leftLogo, rightLogo };
}

/** Adds the files of a place to the list. */
export async function addPlace(from: Place): Promise<void> {
  try {
    const fresh = newDraft(from.kind === "local" ? from.name : "");
    const number = draft.peek().fields.trackingNumber || (isEmpty.peek() && fresh.fields.trackingNumber) || "";
    const rows = await doWork(text.edit.reading, (options) => readRows(from, options, number));
    if (!rows) return;
    if (!rows.length) addProblem(from.name, text.errors.nothing);
    // What was typed and pasted while the files were read stays.
    const given = draft.peek();
    const typed = Object.fromEntries(Object.entries(given.fields).filter(([, value]) => value));
    change(addFiles(isEmpty.peek() ? { ...fresh, fields: { ...fresh.fields, ...typed } } : given, rows));
    place.value = from;
    showToast(text.edit.added(rows.length));
  } catch (error) {
    addProblem(from.name, placeReasonOf(error));
  }
}

async function readRows(
  from: Place,
  options: delivery.ReadOptions & { signal: AbortSignal },
  number: string,
  known?: delivery.Delivery,
): Promise<Row[]> {
  const list = known && !known.folder ? known.list : await delivery.listFolder(from, options);
  const found = await delivery.findPages(from, "", list, () => undefined);
  const pages = new Set(found.filter((one) => !number || delivery.isOwnPage(one, number)).map((one) => one.name));
  for (const [path, reason] of list.files) if (reason) addProblem(path, `${text.edit.notRead}: ${reason}`);
  const paths = [...list.files].filter(([path, reason]) => !reason && isDelivered(path) && !pages.has(path)).map(([path]) => path);
  const read = await delivery.hashFiles(from, "", paths, options);
  const rows: Row[] = [];
  for (const path of paths) {
    const { sha256, size, reason } = read.get(path)!;
    if (reason) addProblem(path, `${text.edit.notRead}: ${reason}`);
    else rows.push(makeRow({ place: from, path }, path, sha256, size));
  }
  return rows;
}

/** Opens what the address names after `open=`, from the server that the page came from. */
export async function openServed(path: string): Promise<void> {
  const address = new URL(path, location.href);
  if (!isServed() || address.origin !== location.origin) {
    addProblem(path, text.errors.foreign);
    return;
  }
  try {
    if (address.pathname.endsWith("/")) {
      await openPlace(fromServer(address.href));
      return;
    }
    const answer = await fetch(address);
    if (!answer.ok) {
      addProblem(path, text.errors.notLoaded(answer.status));
      return;
    }
    const transmittal = parseTransmittal(await answer.text());
    const name = decodeURIComponent(address.pathname.slice(address.pathname.lastIndexOf("/") + 1));
    if (stateOf(transmittal) === "draft") {
      openDraft(transmittal);
      return;
    }
    const from = fromServer(address.href);
    await doWork(text.edit.reading, async (options) => {
      const list = await delivery.listFolder(from, options);
      const pages = await delivery.findPages(from, "", list, (damaged, why) => addProblem(damaged, text.check.damaged(why)));
      const page = pages.find((one) => one.name === name) ?? { name, transmittal };
      await check(from, { folder: "", list, pages }, page, options);
    });
  } catch (error) {
    const isData = error instanceof Error && ["BlockError", "JsonError", "DataError"].includes(error.name);
    addProblem(path, isData ? text.check.damaged(reasonOf(error)) : placeReasonOf(error));
  }
}

/** Returns what a transmittal is called where people see several. */
export function labelOf({ name, transmittal }: delivery.Page): string {
  return `${textOf(transmittal.payload, "trackingNumber")} ${textOf(transmittal.payload, "date")} · ${name}`;
}

/** Checks what was just written, from where it was written. */
export async function checkWritten(from: Place, folder: string, name: string): Promise<void> {
  await doWork(text.edit.reading, async (options) => {
    const list = delivery.listBelow(await delivery.listFolder(from, options), folder);
    const pages = await delivery.findPages(from, folder, list, (path, why) => addProblem(path, text.check.damaged(why)));
    const page = pages.find((one) => one.name === name);
    if (page) await check(from, { folder, list, pages }, page, options);
  });
}
