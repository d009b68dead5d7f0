/** Compares a list of deliverables that was promised (an MDL) with what is in the archive. */

import { parseCells } from "../../shared/csv";
import { isCalendarDate } from "../../shared/naming";
import { compareRevisions } from "../../shared/revision";
import type { Archive, Document } from "./types";

/** A line of the list; what it does not say is empty. */
export interface Promised {
  readonly trackingNumber: string;
  readonly title: string;
  readonly revision: string;
  /** YYYY-MM-DD, or what stands there. */
  readonly due: string;
  /** In the list, from 1. */
  readonly line: number;
}

export interface PromiseList {
  readonly promised: readonly Promised[];
  /** What cannot be taken from the list: the line, from 1, and why. */
  readonly problems: readonly { readonly line: number; readonly reason: string }[];
  /** Whether its first line names the columns. */
  readonly hasHeadings: boolean;
}

export type ExpectedState = "received" | "missing" | "late" | "superseded" | "not on the list";

/** A document that was promised, or that is there and was not. */
export interface ExpectedRow {
  readonly trackingNumber: string;
  readonly title: string;
  readonly promisedRevision: string;
  readonly due: string;
  readonly state: ExpectedState;
  /** What is there, or null. */
  readonly document: Document | null;
  /** The date of the earliest transmittal that brought what was promised; empty where there is none. */
  readonly received: string;
  readonly discipline: string;
  /** Days after the due date: until it came, or until today; 0 where it was in time or has no date. */
  readonly daysLate: number;
}

/** Words of headings, in small letters without signs, and the column that they mean. */
const HEADINGS: ReadonlyMap<string, "trackingNumber" | "title" | "revision" | "due"> = new Map([
  ...["trackingnumber", "tracking", "trackingno", "number", "documentnumber", "documentno", "document", "docno", "docnumber", "drawingnumber", "drawingno", "no", "nr"].map((word) => [word, "trackingNumber"] as const),
  ...["title", "documenttitle", "description", "name"].map((word) => [word, "title"] as const),
  ...["revision", "rev", "plannedrevision"].map((word) => [word, "revision"] as const),
  ...["due", "duedate", "date", "planned", "planneddate", "promised", "promiseddate", "forecast", "forecastdate", "plannedissue"].map((word) => [word, "due"] as const),
]);
const MOST_LINES = 100_000;

/**
 * Reads a list in CSV, with commas, semicolons or tabs, as a spreadsheet saves or copies it.
 *
 * Where its first line names the columns, these are used. Else they are tracking number, title, revision, due date.
 */
export function readPromises(text: string): PromiseList {
  const problems: { line: number; reason: string }[] = [];
  const clean = text.startsWith("\ufeff") ? text.slice(1) : text;
  const data = parseCells(clean, guessDelimiter(clean));
  const first = data.findIndex((cells) => cells.some((cell) => cell.trim()));
  if (first < 0) return { promised: [], problems, hasHeadings: false };
  const headings = data[first]!.map((cell) => HEADINGS.get(cell.toLowerCase().replace(/[^a-z]/g, "")));
  const hasHeadings = headings.includes("trackingNumber");
  const columns = hasHeadings ? headings : (["trackingNumber", "title", "revision", "due"] as const);
  const at = (name: string): number => columns.findIndex((column) => column === name);
  const places = { trackingNumber: at("trackingNumber"), title: at("title"), revision: at("revision"), due: at("due") };
  const promised: Promised[] = [];
  const seen = new Map<string, number>();
  for (let row = first + Number(hasHeadings); row < data.length; row += 1) {
    const cells = data[row]!;
    const line = row + 1;
    const cell = (place: number): string => withoutGuard((place < 0 ? "" : (cells[place] ?? "")).trim());
    if (!cells.some((one) => one.trim())) continue;
    if (promised.length >= MOST_LINES) {
      problems.push({ line, reason: `the list has more than ${MOST_LINES} lines; the rest is left out` });
      break;
    }
    const trackingNumber = cell(places.trackingNumber);
    if (!trackingNumber) {
      problems.push({ line, reason: "no tracking number" });
      continue;
    }
    if (/[\s_]/.test(trackingNumber)) {
      problems.push({ line, reason: `'${trackingNumber}' is no tracking number: it has white space or '_' in it` });
      continue;
    }
    const revision = cell(places.revision);
    const key = JSON.stringify([trackingNumber, revision]);
    const before = seen.get(key);
    if (before !== undefined) {
      problems.push({ line, reason: `${trackingNumber} is in line ${before} already` });
      continue;
    }
    seen.set(key, line);
    const due = cell(places.due);
    if (due && !isCalendarDate(due)) problems.push({ line, reason: `'${due}' is not a date written as YYYY-MM-DD` });
    promised.push({ trackingNumber, title: cell(places.title), revision, due, line });
  }
  return { promised, problems, hasHeadings };
}

/** The sign that is most frequent outside of quotation marks in the first lines; a tab before all others. */
function guessDelimiter(text: string): string {
  const head = text.slice(0, 10_000).replace(/"[^"]*"/g, "");
  const count = (sign: string): number => head.split(sign).length - 1;
  if (count("\t")) return "\t";
  return count(";") > count(",") ? ";" : ",";
}

/** Takes away the sign that keeps a spreadsheet from reading a cell as a formula. */
function withoutGuard(cell: string): string {
  return /^'[=+\-@]/.test(cell) ? cell.slice(1) : cell;
}

/**
 * Returns each promise with what became of it, in the order of the list, and then the documents that it does not name.
 *
 * A promise without a revision is kept by any revision that is neither a draft nor has a modifier; one with a revision
 * by that one, or a newer one: then it is superseded. It is late if it came after its date, or has not come by then.
 */
export function compareWithList(archive: Archive, list: readonly Promised[], today: string): ExpectedRow[] {
  const named = new Set(list.map((one) => one.trackingNumber));
  const rows = list.map((one) => rowOf(archive, one, today));
  for (const document of archive.documents) {
    if (named.has(document.trackingNumber)) continue;
    rows.push({
      trackingNumber: document.trackingNumber,
      title: document.longestTitle,
      promisedRevision: "",
      due: "",
      state: "not on the list",
      document,
      received: earliest(document, ""),
      discipline: document.discipline,
      daysLate: 0,
    });
  }
  return rows;
}

function rowOf(archive: Archive, promised: Promised, today: string): ExpectedRow {
  const { trackingNumber, revision, due } = promised;
  const document = archive.byTrackingNumber.get(trackingNumber) ?? null;
  const received = document ? earliest(document, revision) : "";
  const isThere = document !== null && hasKept(document, revision);
  const daysLate = isCalendarDate(due) ? Math.max(0, daysBetween(due, isThere ? received || due : today)) : 0;
  let state: ExpectedState = "missing";
  if (isThere && revision && compareRevisions(document.current.text, revision) > 0) state = "superseded";
  else if (isThere) state = daysLate ? "late" : "received";
  else if (daysLate) state = "late";
  return {
    trackingNumber,
    title: promised.title || document?.longestTitle || "",
    promisedRevision: revision,
    due,
    state,
    document,
    received,
    discipline: trackingNumber.split("-")[1] ?? "",
    daysLate,
  };
}

function hasKept(document: Document, revision: string): boolean {
  return document.revisions.some((one) => one.isFinalBase && (!revision || compareRevisions(one.text, revision) >= 0));
}

/** The date on which a revision, or a newer one, first came; of any where none is named. */
function earliest(document: Document, revision: string): string {
  let first = "";
  for (const one of document.revisions) {
    if (!one.isFinalBase || (revision && compareRevisions(one.text, revision) < 0)) continue;
    for (const { date } of one.copies) if (date && (!first || date < first)) first = date;
  }
  return first;
}

/** Counts of each state, for all and by discipline. */
export function countStates(rows: readonly ExpectedRow[]): Map<string, Map<ExpectedState, number>> {
  const counts = new Map<string, Map<ExpectedState, number>>([["", new Map()]]);
  for (const { discipline, state } of rows) {
    for (const key of new Set(["", discipline])) {
      let known = counts.get(key);
      if (!known) counts.set(key, (known = new Map()));
      known.set(state, (known.get(state) ?? 0) + 1);
    }
  }
  return counts;
}

/** Returns how many days a day comes after another one; both as YYYY-MM-DD. */
export function daysBetween(from: string, to: string): number {
  return Math.round((Date.parse(`${to}T00:00:00Z`) - Date.parse(`${from}T00:00:00Z`)) / 86_400_000);
}

/** Returns the day that comes so many days after another one. */
export function addDays(day: string, days: number): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + days * 86_400_000).toISOString().slice(0, 10);
}
