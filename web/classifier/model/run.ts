/**
 * Carries out a plan of renames with a journal, completes or undoes it after a stop at any point.
 *
 * The line for a step is in the journal before the step begins, one line for several steps: a browser copies the whole
 * journal for each. A file that cannot be renamed stays, with the reason; the others go on, and the journal then holds only what is to be done, so that it can still be undone as a whole.
 */
import { folderOf, joinPath, nameOf, reasonOf } from "../../shared/files/place";
import { runText } from "../text";
import { comparable } from "./comparable";
import { type Disk, DiskError } from "./disk";
import {
  JOURNAL_NAME,
  type Journal,
  countNamed,
  formatBatch,
  formatJournal,
  formatLine,
  isFinished,
  newJournal,
  nextBatch,
  parseJournal,
  renamesOf,
  wayTo,
} from "./journal";
import { type PlanLine, type Step, TEMPORARY, planSteps, settlePlan } from "./plan";

/** A line of a plan, and what must be true of its file for it to be renamed. */
export interface Wanted {
  line: PlanLine;
  /** The time of the file when the folder was read, in milliseconds since 1970; null where it is not known. */
  modified: number | null;
}

export type Outcome = "renamed" | "skipped" | "failed" | "left";

export interface Result {
  path: string;
  newName: string;
  outcome: Outcome;
  /** Why it was not renamed; empty if it was. */
  reason: string;
  /** Whether trying again later can help. */
  canRetry: boolean;
}

export interface Progress {
  /** Called with how many of all steps are done. */
  onProgress?(done: number, all: number): void;
  /** Stops after the step that is being done. */
  signal?: AbortSignal;
}

export interface Finish {
  results: Result[];
  /** Null where nothing was begun. */
  journal: Journal | null;
  /** Why it stopped on its way: then the journal is completed or undone later. Empty if it did not. */
  stopped: string;
}

/** Where a clock and chance come from, so that tests are not left to them. */
export interface Source {
  now(): Date;
  /** Return hexadecimal digits that no other run has. */
  random(digits: number): string;
}

export const systemSource: Source = {
  now: () => new Date(),
  random: (digits) =>
    Array.from(crypto.getRandomValues(new Uint8Array(digits)), (byte) => (byte & 15).toString(16)).join(""),
};

/** Rename files as a plan says. Throws {@link DiskError} where not even a journal can be written. */
export async function applyPlan(
  disk: Disk,
  wanted: readonly Wanted[],
  progress: Progress = {},
  source: Source = systemSource,
): Promise<Finish> {
  const results: Result[] = [];
  const lines = await findLines(disk, wanted, results);
  if (!lines.length) return { results, journal: null, stopped: "" };
  const journal = newJournal(planSteps(lines, source.random(8)), source.now(), source.random(4));
  const text = formatJournal(journal);
  await disk.write(journal.name, text, { mustNotExist: true });
  journal.size = text.length;
  const stopped = await move(disk, journal, journal.steps.length, progress, (from, error) =>
    leaveOut(disk, journal, from, error, results),
  );
  const renamed = renamesOf(journal.steps.slice(0, journal.position));
  for (const { path, newName } of lines) {
    if (renamed.get(path) === joinPath(folderOf(path), newName)) results.push(result(path, newName, "renamed"));
    else if (!results.some((one) => one.path === path)) {
      results.push(result(path, newName, "left", stopped || runText.stopped, true));
    }
  }
  if (!journal.steps.length) {
    await disk.remove(journal.name);
    return { results, journal: null, stopped };
  }
  return { results, journal, stopped };
}

function result(path: string, newName: string, outcome: Outcome, reason = "", canRetry = false): Result {
  return { path, newName, outcome, reason, canRetry };
}

/** Return the lines whose files are as they were when the folder was read, and whose new names are free. */
async function findLines(disk: Disk, wanted: readonly Wanted[], results: Result[]): Promise<PlanLine[]> {
  const listings = new Map<string, Set<string>>();
  const lines: PlanLine[] = [];
  for (const { line, modified } of wanted) {
    const folder = folderOf(line.path);
    if (!listings.has(folder)) listings.set(folder, new Set((await disk.names(folder)).keys()));
    let problem = "";
    try {
      const state = await disk.state(line.path);
      const isSame = (line.size ?? state.size) === state.size && (modified ?? state.modified) === state.modified;
      problem = isSame ? "" : runText.changed;
    } catch (error) {
      if (!(error instanceof DiskError) || error.kind === "permission") throw error;
      problem = error.message;
    }
    lines.push({ ...line, problem });
  }
  const settled = settlePlan(lines, (folder) => listings.get(folder) ?? new Set());
  for (const { path, newName, problem } of settled) if (problem) results.push(result(path, newName, "skipped", problem, true));
  return settled.filter((line) => !line.problem);
}

/**
 * Do or undo steps until `goal` of them are done; return why it stopped before, empty if it did not.
 *
 * `onFailure` may take what failed out of the journal and return true; then the rest goes on.
 */
async function move(
  disk: Disk,
  journal: Journal,
  goal: number,
  { onProgress, signal }: Progress,
  onFailure?: (from: string, error: DiskError) => Promise<boolean>,
): Promise<string> {
  const append = async (text: string) => {
    await disk.writeAt(journal.name, journal.size, text);
    journal.size += text.length;
  };
  const isDoing = goal !== 0;
  const end = () => (isDoing ? journal.steps.length : 0);
  const all = Math.abs(end() - journal.position);
  let problem = "";
  while (!problem) {
    const batch = nextBatch(journal, end());
    if (!batch.length) break;
    if (signal?.aborted) {
      problem = runText.stopped;
      break;
    }
    try {
      await append(formatBatch(batch, isDoing ? "do" : "undo"));
    } catch (error) {
      return runText.journalFailed(reasonOf(error));
    }
    for (const next of batch) {
      if (signal?.aborted) {
        problem = runText.stopped;
        break;
      }
      try {
        await disk.rename(next.from, nameOf(next.to));
        journal.position = next.after;
        onProgress?.(all - Math.abs(end() - journal.position), all);
      } catch (error) {
        const failure = error instanceof DiskError ? error : new DiskError("other", String(error));
        const isLeftOut = failure.kind !== "permission" && (await onFailure?.(next.from, failure));
        if (!isLeftOut) problem = runText.failed(next.from, nameOf(next.to), failure.message);
        break;
      }
    }
  }
  try {
    await append(formatLine({ end: journal.position }));
  } catch {
    // The names that are there will tell.
  }
  return problem;
}

/** Take a file that cannot be renamed out of what is to be done, with all that would need its name. */
async function leaveOut(
  disk: Disk,
  journal: Journal,
  from: string,
  error: DiskError,
  results: Result[],
): Promise<boolean> {
  // From its temporary name a file must go on; only a person can tell what is in its way.
  if (TEMPORARY.test(nameOf(from))) return false;
  const { steps, position } = journal;
  const goals = new Map<string, string>(); // by old path: the new one of all files that are not there yet
  for (const [first, last] of renamesOf(steps)) goals.set(first, last);
  const left = new Set<string>();
  const done = renamesOf(steps.slice(0, position));
  const freed = (path: string) => `${folderOf(path)}/${comparable(nameOf(path))}`;
  const pending = [from];
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    if (left.has(path)) continue;
    left.add(path);
    for (const [other, goal] of goals) if (other !== path && freed(goal) === freed(path)) pending.push(other);
  }
  const first = new Map<string, string>(); // by where a file is then: where it was before the first step
  const remaining: Step[] = [];
  steps.forEach(([old, next], number) => {
    const start = first.get(old) ?? old;
    first.delete(old);
    first.set(next, start);
    if (number < position) return;
    if (!left.has(start)) remaining.push([old, next]);
    // One that has a temporary name already goes back.
    else if (done.get(start) === old) remaining.push([old, start]);
  });
  const changed: Journal = { ...journal, steps: [...steps.slice(0, position), ...remaining] };
  const text = formatJournal(changed);
  try {
    await disk.write(journal.name, text, { mustNotExist: false });
  } catch {
    return false;
  }
  journal.steps = changed.steps;
  journal.size = text.length;
  for (const path of left) {
    const newName = nameOf(goals.get(path) ?? path);
    const reason = path === from ? error.message : runText.needs(nameOf(from));
    results.push(result(path, newName, path === from ? "failed" : "left", reason, true));
  }
  return true;
}

export interface Resumed {
  /** How many files have another name than before. */
  renamed: number;
  stopped: string;
  /** Old and new path of each file that has another name than before. */
  moved: Map<string, string>;
}

/** Do what is not done of a journal, or undo what is done. Throws {@link DiskError} where that cannot be begun. */
export async function resume(
  disk: Disk,
  journal: Journal,
  goal: "complete" | "undo",
  progress: Progress = {},
): Promise<Resumed> {
  const nothing: Resumed = { renamed: 0, stopped: "", moved: new Map() };
  if (!journal.steps.length) return nothing;
  await settle(disk, journal);
  const end = goal === "complete" ? journal.steps.length : 0;
  await checkWay(disk, journal, end);
  const before = journal.position;
  const stopped = await move(disk, journal, end, progress);
  const done = journal.steps.slice(Math.min(before, journal.position), Math.max(before, journal.position));
  const steps: Step[] = goal === "complete" ? done : done.toReversed().map(([from, to]): Step => [to, from]);
  return { renamed: countNamed(steps), stopped, moved: renamesOf(steps) };
}

/**
 * Find out by the names that are there which of the steps that were begun last are made.
 *
 * The last one that is made and the first one that is not always show it: nothing has touched their names since. Those
 * between the two, or a wrong order of the two, come from somebody who renamed here meanwhile.
 */
async function settle(disk: Disk, journal: Journal): Promise<void> {
  const { openSteps } = journal;
  const isUndo = openSteps[0] !== journal.position;
  const listings = new Map<string, Map<string, "file" | "directory">>();
  let made = 0;
  let left = openSteps.length;
  const problems: string[] = [];
  for (const [at, number] of openSteps.entries()) {
    const [from, to] = journal.steps[number]!;
    const folder = folderOf(from);
    if (!listings.has(folder)) listings.set(folder, await disk.names(folder));
    const names = listings.get(folder)!;
    const isNamed = names.has(nameOf(to));
    const isUnclear = isNamed === names.has(nameOf(from));
    if (!isUnclear && isNamed !== isUndo) made = at + 1;
    else if (!isUnclear) left = Math.min(left, at);
    problems.push(isUnclear ? runText.unsettled(from, nameOf(to), isNamed) : runText.outOfOrder(from, nameOf(to)));
  }
  if (made !== left) throw new DiskError("other", problems[Math.min(made, left)]!);
  journal.position += isUndo ? -made : made;
  journal.openSteps = [];
}

/** Throw if a step on the way cannot be made, since somebody renamed something meanwhile. */
async function checkWay(disk: Disk, journal: Journal, goal: number): Promise<void> {
  const listings = new Map<string, Map<string, "file" | "directory">>();
  const places = new Map<string, boolean>(); // by a path on the way: whether something has it then
  for (const { from, to } of wayTo(journal, goal)) {
    const folder = folderOf(from);
    if (!listings.has(folder)) listings.set(folder, await disk.names(folder));
    const names = listings.get(folder)!;
    if (names.get(nameOf(from)) === "directory") throw new DiskError("other", runText.ofFolders(from));
    if (places.get(to) ?? names.has(nameOf(to))) throw new DiskError("taken", runText.wayTaken(from, nameOf(to)));
    if (!(places.get(from) ?? names.has(nameOf(from)))) throw new DiskError("absent", runText.wayAbsent(from, nameOf(to)));
    places.set(from, false);
    places.set(to, true);
  }
}

/** Return the journals in the folder, the newest first; a file that only looks like one is none. */
export async function findJournals(disk: Disk): Promise<Journal[]> {
  const journals: Journal[] = [];
  for (const [name, kind] of await disk.names("")) {
    if (kind !== "file" || !JOURNAL_NAME.test(name)) continue;
    try {
      journals.push(parseJournal(name, await disk.read(name)));
    } catch (error) {
      if (error instanceof DiskError && error.kind === "permission") throw error;
    }
  }
  return journals.sort((one, other) => (one.name < other.name ? 1 : -1));
}

/** Return the journals that were stopped on their way, the newest first. */
export async function findUnfinished(disk: Disk): Promise<Journal[]> {
  return (await findJournals(disk)).filter((journal) => !isFinished(journal));
}
