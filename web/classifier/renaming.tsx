/** Renames the files, takes renames back, and goes on with those that were stopped. */
import { batch, signal, type Signal } from "@preact/signals";
import { closeDialog } from "../shared/dialogs";
import { folderOf, joinPath, reasonOf } from "../shared/files/place";
import { refreshPlace } from "../shared/folderShell";
import { addProblem, formatSize, openDialog, showToast } from "../shared/shell";
import { download } from "../shared/save";
import { openPlace } from "./loading";
import type { Fields } from "./model/columns";
import { handleDisk, LARGE_COPY, type Disk } from "./model/disk";
import { followRenames } from "./model/follow";
import { isFinished, type Journal } from "./model/journal";
import { formatPlan } from "./model/plan";
import { applyPlan, findJournals, findUnfinished, resume, type Finish, type Wanted } from "./model/run";
import { ApplyDialog, InterruptedDialog, JournalsDialog, ResultDialog, UndoDialog } from "./screens/dialogs";
import { disk, model, place, runs, showChanged, updateView, version, work, type Model } from "./state";
import { text } from "./text";

/** Runs in the open folder that were stopped on their way. */
export const unfinished: Signal<readonly Journal[]> = signal([]);

export const PLAN_NAME = "rename-plan.csv";

/** Whether files of the open place can be renamed from here, once the person allows it. */
export function canRename(): boolean {
  return place.value?.handle !== undefined;
}

export function savePlan(): void {
  const lines = model.peek()?.checks.plan().lines ?? [];
  if (!lines.length) {
    showToast(text.applyNone);
    return;
  }
  download(PLAN_NAME, formatPlan(lines), "text/csv;charset=utf-8");
  showToast(text.planSaved(lines.length));
}

/** Show what would be renamed, and ask. */
export function askToApply(): void {
  const shown = model.peek();
  if (!shown || work.peek()) return;
  const { lines } = shown.checks.plan();
  if (unfinished.peek().length) openDialog(InterruptedDialog);
  else if (!lines.length) showToast(text.applyNone);
  else openDialog(() => <ApplyDialog lines={lines} />);
}

/** Ask for leave to write; must be called while a click is handled. */
async function openToWrite(): Promise<Disk | null> {
  const open = place.peek();
  if (!open?.handle || !(await open.askToWrite?.())) {
    addProblem(text.failed, text.noWrite);
    showToast(text.noWrite);
    return null;
  }
  refreshPlace();
  disk.value = handleDisk(open.handle, {
    onCopy: (path, size) => {
      const now = work.peek();
      if (now && size > LARGE_COPY) work.value = { ...now, note: text.copying(path, formatSize(size)) };
    },
  });
  return disk.value;
}

/** Do something that takes a while, with its progress shown; null where it could not even be begun. */
async function doWork<T>(label: string, act: (progress: { onProgress(done: number, all: number): void; signal: AbortSignal }) => Promise<T>): Promise<T | null> {
  const stop = new AbortController();
  work.value = { label, done: 0, all: 0, note: "", stop };
  try {
    return await act({
      signal: stop.signal,
      onProgress: (done, all) => (work.value = { label, done, all, note: "", stop }),
    });
  } catch (error) {
    addProblem(text.failed, reasonOf(error));
    showToast(reasonOf(error));
    return null;
  } finally {
    work.value = null;
  }
}

/** Rename what is ready. */
export async function apply(): Promise<void> {
  const shown = model.peek();
  const writer = shown && !work.peek() ? await openToWrite() : null;
  if (!shown || !writer) return;
  const waiting = await findUnfinished(writer).catch(() => []);
  if (waiting.length) {
    unfinished.value = waiting;
    openDialog(InterruptedDialog);
    return;
  }
  const { lines, rows } = shown.checks.plan();
  const wanted = lines.map((line): Wanted => ({ line, modified: shown.sheet.row(rows.get(line.path)!).modified }));
  const finish = await doWork(text.renaming, (progress) => applyPlan(writer, wanted, progress));
  if (!finish) return;
  take(shown, finish, rows);
  for (const { path, reason, outcome } of finish.results) if (outcome !== "renamed") addProblem(path, reason);
  openDialog(() => <ResultDialog finish={finish} />);
}

/** The sheet follows what was renamed. */
function take(shown: Model, { results, journal }: Finish, rows: ReadonlyMap<string, number>): void {
  const typed = new Map<string, Partial<Fields>>();
  const moved = new Map<string, string>();
  for (const { path, newName, outcome } of results) {
    const row = rows.get(path);
    if (outcome !== "renamed" || row === undefined) continue;
    const newPath = joinPath(folderOf(path), newName);
    typed.set(newPath, { ...shown.sheet.row(row).typed });
    moved.set(path, newPath);
  }
  if (journal) {
    if (!isFinished(journal)) unfinished.value = [journal];
    runs.value = [...runs.peek(), { journal, typed }];
  }
  follow(shown, moved);
}

/** A file that was copied has another time than before. */
async function readAgain({ sheet }: Model, rows: readonly number[]): Promise<void> {
  const reader = disk.peek();
  for (const number of rows) {
    const row = sheet.row(number);
    try {
      const state = await reader?.state(row.path);
      if (state) Object.assign(row, state);
    } catch {
      row.modified = null;
    }
  }
}

export function askToUndo(): void {
  if (work.peek()) return;
  if (!runs.peek().length) showToast(text.nothingRenamed);
  else openDialog(UndoDialog);
}

/** Take all renames of this session back, the last ones first. */
export async function undoAll(): Promise<void> {
  const shown = model.peek();
  const writer = shown && !work.peek() ? await openToWrite() : null;
  if (!shown || !writer) return;
  let count = 0;
  await doWork(text.undoing, async (progress) => {
    for (const run of runs.peek().toReversed()) {
      const { moved, stopped } = await resume(writer, run.journal, "undo", progress);
      count += moved.size;
      follow(shown, moved, run.typed);
      if (stopped) {
        unfinished.value = [run.journal];
        throw new Error(stopped);
      }
      runs.value = runs.peek().filter((one) => one !== run);
    }
    unfinished.value = [];
  });
  if (count) showToast(text.undoneAll(count));
}

/** Show the sheet with the names that the files have now; what was typed before may come back. */
function follow(shown: Model, moved: ReadonlyMap<string, string>, typed?: ReadonlyMap<string, Partial<Fields>>): void {
  const changed = followRenames(shown, moved, typed);
  batch(() => {
    showChanged(changed);
    version.value += 1;
    updateView();
  });
  void readAgain(shown, changed);
}

/** Look whether a run was stopped here before, and ask what is to become of it. */
export async function lookForUnfinished(): Promise<void> {
  unfinished.value = [];
  const handle = place.peek()?.handle;
  if (!handle) return;
  try {
    unfinished.value = await findUnfinished(handleDisk(handle));
  } catch (error) {
    addProblem(text.journalsHead, reasonOf(error));
  }
  if (unfinished.peek().length) openDialog(InterruptedDialog);
}

/** Finish a run that was stopped, or take it back; then the folder is read again. */
export async function resolve(journal: Journal, goal: "complete" | "undo"): Promise<void> {
  const open = place.peek();
  const writer = work.peek() ? null : await openToWrite();
  if (!open || !writer) return;
  const label = goal === "undo" ? text.undoing : text.renaming;
  const done = await doWork(label, (progress) => resume(writer, journal, goal, progress));
  if (!done) return;
  if (done.stopped) addProblem(text.failed, done.stopped);
  showToast(done.stopped || (goal === "undo" ? text.undoneAll(done.renamed) : text.finished(done.renamed)));
  await openPlace(open);
}

/** Show the journals of the folder whose renames can be taken back. */
export async function askForJournal(): Promise<void> {
  const handle = place.peek()?.handle;
  if (!handle || work.peek()) return;
  const journals = (await findJournals(handleDisk(handle))).filter((one) => one.steps.length && one.position > 0);
  if (journals.length) openDialog(() => <JournalsDialog journals={journals} />);
  else showToast(text.journalsNone);
}

export function closeAnd(act: () => void | Promise<void>): () => void {
  return () => {
    closeDialog();
    void act();
  };
}
