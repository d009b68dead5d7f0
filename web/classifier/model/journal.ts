/**
 * Journals of renames, in the format of `zddc rename`, which completes and undoes what this page began and the reverse.
 *
 * A journal is a file of JSON lines: a heading, every step of the plan, then a line before the steps that are done or
 * undone, with the number of one step or of the first and the last of several, then a line at the end. Of the steps in
 * the last such line the names that are there tell which were done.
 */
import { folderOf, nameOf } from "../../shared/files/place";
import { comparable } from "./comparable";
import { TEMPORARY, type Step } from "./plan";

const HEADING = { journal: "zddc rename", version: 1 } as const;
export const JOURNAL_NAME = /^\.zddc-rename-.*\.jsonl$/;

export interface Journal {
  /** Its name in the folder of the plan. */
  readonly name: string;
  readonly created: string;
  steps: Step[];
  /** How many of the steps are done; where some were begun and did not end, how many were done before those. */
  position: number;
  /** The steps that were begun last and did not end, in the order in which they are made: any of the first may be done. */
  openSteps: number[];
  /** The length of the file up to its last whole line, in bytes. */
  size: number;
}

/** A file that is no journal of renames. */
export class JournalError extends Error {
  override name = "JournalError";
}

/** Return a new journal, of which nothing is done. `mark` is four hexadecimal digits that tell two of a second apart. */
export function newJournal(steps: readonly Step[], now: Date, mark: string): Journal {
  const iso = now.toISOString();
  const stamp = `${iso.slice(0, 19).replace(/[-:]/g, "")}Z`;
  const name = `.zddc-rename-${stamp}-${mark}.jsonl`;
  return { name, created: `${iso.slice(0, 19)}+00:00`, steps: [...steps], position: 0, openSteps: [], size: 0 };
}

/** Whether all of it is done, or all of it undone. */
export function isFinished(journal: Journal): boolean {
  return journal.openSteps.length === 0 && (journal.position === 0 || journal.position === journal.steps.length);
}

/** Return the whole text of a journal, in as few lines as say where it stands. */
export function formatJournal(journal: Journal): string {
  const heading = { ...HEADING, created: journal.created, steps: journal.steps.length };
  const lines: object[] = [heading, ...journal.steps.map(([from, to]) => ({ from, to }))];
  if (journal.position) lines.push({ end: journal.position });
  return lines.map(formatLine).join("");
}

/** Return a line of a journal in ASCII, so that its length in bytes is that of its text. */
export function formatLine(line: object): string {
  const text = JSON.stringify(line).replace(
    /[\x7f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return `${text}\n`;
}

/**
 * Read a journal; throws {@link JournalError} if it is none.
 *
 * What a stopped writer left of a last line is ignored. A journal that does not hold all of its steps yet has none.
 */
export function parseJournal(name: string, bytes: Uint8Array): Journal {
  const size = bytes.lastIndexOf(0x0a) + 1;
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(0, size));
    const [heading, ...others] = text ? text.slice(0, -1).split("\n").map(parseLine) : [{ ...HEADING, steps: 0 }];
    if (!heading || heading.journal !== HEADING.journal || heading.version !== HEADING.version) throw new JournalError();
    const count = heading.steps;
    if (typeof count !== "number" || !Number.isInteger(count) || count < 0) throw new JournalError();
    const created = typeof heading.created === "string" ? heading.created : "";
    const journal: Journal = { name, created, steps: [], position: 0, openSteps: [], size };
    if (others.length >= count) journal.steps = others.slice(0, count).map(readStep);
    for (const line of others.slice(count)) readMove(line, journal);
    return journal;
  } catch {
    throw new JournalError(name);
  }
}

type Line = Record<string, unknown>;

function parseLine(text: string): Line {
  const line: unknown = JSON.parse(text);
  if (typeof line !== "object" || line === null || Array.isArray(line)) throw new JournalError();
  return line as Line;
}

function readStep(line: Line): Step {
  const { from, to } = line;
  if (typeof from !== "string" || typeof to !== "string" || folderOf(from) !== folderOf(to)) throw new JournalError();
  const parts = [...from.split("/"), ...to.split("/")];
  if (parts.some((part) => part === "" || part === "." || part === ".." || part.includes("\0"))) throw new JournalError();
  return [from, to];
}

function readMove(line: Line, journal: Journal): void {
  const [[word, value] = [], ...more] = Object.entries(line);
  const ended = word === "end";
  if (more.length || (word !== "do" && word !== "undo" && !ended)) throw new JournalError();
  const numbers: unknown[] = Array.isArray(value) && !ended ? value : [value, value];
  const [first, last] = numbers.map((number) => readNumber(number, journal.steps.length + Number(ended)));
  if (numbers.length !== 2 || first === undefined || last === undefined) throw new JournalError();
  const way = word === "undo" ? -1 : 1;
  if ((last - first) * way < 0) throw new JournalError();
  journal.position = first + Number(word === "undo");
  journal.openSteps = ended ? [] : Array.from({ length: Math.abs(last - first) + 1 }, (_, at) => first + at * way);
}

function readNumber(value: unknown, end: number): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value >= end) throw new JournalError();
  return value;
}

/** A step as it is made or taken back: its number, the position after it, its paths. */
export interface Move {
  number: number;
  after: number;
  from: string;
  to: string;
}

/** How many steps one line of a journal tells of at most. */
export const BATCH_STEPS = 50;

/**
 * Return the steps that come next on the way to a goal and that one line of the journal may tell of.
 *
 * No name comes twice among them, in any letter case: so each of them shows by its two names whether it was made.
 */
export function nextBatch(journal: Journal, goal: number): Move[] {
  const names = new Set<string>();
  const batch: Move[] = [];
  for (const move of wayTo(journal, goal)) {
    const own = [move.from, move.to].map((path) => `${folderOf(path)}/${comparable(nameOf(path))}`);
    if (batch.length === BATCH_STEPS || own.some((name) => names.has(name))) break;
    for (const name of own) names.add(name);
    batch.push(move);
  }
  return batch;
}

/** Return the line that tells of steps before they are made or taken back. */
export function formatBatch(batch: readonly Move[], word: "do" | "undo"): string {
  const [first, last] = [batch[0]!.number, batch.at(-1)!.number];
  return formatLine({ [word]: first === last ? first : [first, last] });
}

/** Return the steps from where a journal stands to a goal. */
export function wayTo(journal: Journal, goal: number): Move[] {
  const way: Move[] = [];
  for (let number = journal.position; number < goal; number += 1) {
    const [from, to] = journal.steps[number]!;
    way.push({ number, after: number + 1, from, to });
  }
  for (let number = journal.position - 1; number >= goal; number -= 1) {
    const [to, from] = journal.steps[number]!;
    way.push({ number, after: number, from, to });
  }
  return way;
}

/** Return the old and the new path of each file that a journal's steps `from` to `to` rename, as those stand then. */
export function renamesOf(steps: readonly Step[]): Map<string, string> {
  const origin = new Map<string, string>(); // by where a file is: where it was first
  for (const [from, to] of steps) {
    origin.set(to, origin.get(from) ?? from);
    origin.delete(from);
  }
  const renames = new Map<string, string>();
  for (const [now, first] of origin) if (now !== first) renames.set(first, now);
  return renames;
}

/** How many of the files that a journal renames have their last name, where it stands. */
export function countNamed(steps: readonly Step[]): number {
  return steps.filter(([, to]) => !TEMPORARY.test(nameOf(to))).length;
}
