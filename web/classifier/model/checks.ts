/** The verdict of each row, kept in step with the sheet. */
import { NamingError, folderInZip, formatFilename, suggestFilename } from "../../shared/naming";
import { windowsProblem } from "../../shared/windowsNames";
import { checkText, fieldNames } from "../text";
import { type Listing, type PlanLine, planLine, settlePlan } from "./plan";
import type { Sheet } from "./sheet";

/** What can be wrong with a row; each is a filter of the page. */
export const KINDS = [
  "ready",
  "open",
  "correctable",
  "incomplete",
  "convention",
  "windows",
  "clash",
  "twins",
  "length",
  "duplicate",
  "extension",
] as const;
export type Kind = (typeof KINDS)[number];

export interface Verdict {
  /** Empty for a row with a good name that is left as it is. */
  readonly kinds: readonly Kind[];
  /** Why its new name is refused, or what is wrong with the name that it has; empty if nothing is. */
  readonly problem: string;
  readonly warnings: readonly string[];
  /** Whether it is going to be renamed. */
  readonly isReady: boolean;
  /** The one right name that it is meant to have; empty if there is none. */
  readonly correction: string;
}

const GOOD: Verdict = { kinds: [], problem: "", warnings: [], isReady: false, correction: "" };
const MOST_KNOWN = 20_000;

export class Checks {
  readonly #sheet: Sheet;
  readonly #listing: Listing;
  readonly #rowsOfFolder = new Map<string, number[]>();
  readonly #verdicts: Verdict[];
  readonly #counts = new Map<Kind, number>();
  readonly #untouched = new Map<string, Verdict>();

  constructor(sheet: Sheet, listing: Listing) {
    this.#sheet = sheet;
    this.#listing = listing;
    this.#verdicts = sheet.rows.map(() => GOOD);
    sheet.rows.forEach(({ folder }, number) => {
      const there = this.#rowsOfFolder.get(folder);
      if (there) there.push(number);
      else this.#rowsOfFolder.set(folder, [number]);
    });
    for (const folder of this.#rowsOfFolder.keys()) this.#check(folder);
  }

  verdict(number: number): Verdict {
    return this.#verdicts[number] ?? GOOD;
  }

  count(kind: Kind): number {
    return this.#counts.get(kind) ?? 0;
  }

  /** Whether the name that a row has conforms. */
  conforms(number: number): boolean {
    return !this.#verdictOfName(this.#sheet.row(number).name).problem;
  }

  get folders(): ReadonlyMap<string, readonly number[]> {
    return this.#rowsOfFolder;
  }

  /** Check again what an edit of these rows has changed: all rows of their folders. */
  update(rows: Iterable<number>): void {
    for (const folder of new Set(Array.from(rows, (row) => this.#sheet.row(row).folder))) this.#check(folder);
  }

  /** Return the lines of the rows that are going to be renamed, and the row of each path. */
  plan(): { lines: PlanLine[]; rows: Map<string, number> } {
    const lines: PlanLine[] = [];
    const rows = new Map<string, number>();
    this.#verdicts.forEach((verdict, number) => {
      if (!verdict.isReady) return;
      const { path, size } = this.#sheet.row(number);
      lines.push({ ...planLine(path, this.#sheet.newName(number), size), warning: verdict.warnings.join("; ") });
      rows.set(path, number);
    });
    return { lines, rows };
  }

  #check(folder: string): void {
    const numbers = this.#rowsOfFolder.get(folder) ?? [];
    const sheet = this.#sheet;
    const changed: number[] = [];
    const lines: PlanLine[] = [];
    for (const number of numbers) {
      if (!sheet.isChanged(number)) continue;
      changed.push(number);
      lines.push({ ...planLine(sheet.row(number).path, sheet.newName(number)), ...this.#ownProblem(number) });
    }
    const settled = new Map(settlePlan(lines, this.#listing).map((line, at) => [changed[at]!, line] as const));
    const documents = this.#documents(numbers);
    for (const number of numbers) {
      const found = settled.get(number);
      const verdict = found
        ? this.#verdictOfLine(number, found, documents)
        : this.#verdictOfName(sheet.row(number).name);
      this.#set(number, verdict);
    }
  }

  /** What is wrong with the new name of a row by itself. */
  #ownProblem(number: number): Pick<PlanLine, "kind" | "problem"> {
    const missing = this.#sheet.missing(number);
    if (missing) return { kind: "incomplete", problem: checkText.missing(fieldNames[missing]) };
    const { tracking, revision, status, title, extension } = this.#sheet.fields(number);
    try {
      formatFilename({ trackingNumber: tracking, revision, status, title, extension });
    } catch (error) {
      if (error instanceof NamingError) return { kind: "convention", problem: error.message };
      throw error;
    }
    const problem = windowsProblem(this.#sheet.newName(number));
    return { kind: problem ? "windows" : "", problem };
  }

  #verdictOfLine(number: number, line: PlanLine, documents: ReadonlyMap<string, number[]>): Verdict {
    if (line.problem) {
      const kind = line.kind === "absent" || line.kind === "" ? "clash" : line.kind;
      return { ...GOOD, kinds: [kind], problem: line.problem };
    }
    const kinds: Kind[] = ["ready"];
    const warnings: string[] = [];
    if (line.warning) {
      kinds.push("length");
      warnings.push(line.warning);
    }
    const twin = documents.get(this.#documentOf(number))?.find((other) => other !== number);
    if (twin !== undefined) {
      kinds.push("duplicate");
      warnings.push(checkText.duplicate(this.#sheet.newName(twin)));
    }
    const before = this.#sheet.row(number).read.extension.toLowerCase();
    const after = this.#sheet.value(number, "extension").toLowerCase();
    if (before !== after) {
      kinds.push("extension");
      warnings.push(checkText.extension(before, after));
    }
    return { kinds, problem: "", warnings, isReady: true, correction: "" };
  }

  #documents(numbers: readonly number[]): Map<string, number[]> {
    const documents = new Map<string, number[]>();
    for (const number of numbers) {
      const document = this.#documentOf(number);
      if (!document) continue;
      const there = documents.get(document);
      if (there) there.push(number);
      else documents.set(document, [number]);
    }
    return documents;
  }

  /** What is the same for two files of one document, revision and extension; empty where one of them is missing. */
  #documentOf(number: number): string {
    const { tracking, revision, extension } = this.#sheet.fields(number);
    return tracking && revision ? JSON.stringify([tracking, revision, extension.toLowerCase()]) : "";
  }

  #verdictOfName(name: string): Verdict {
    const known = this.#untouched.get(name);
    if (known) return known;
    const { reason, corrected } = suggestFilename(name);
    // A zip that stands for a transmittal folder has other parts than the columns.
    const correction = folderInZip(name) ? "" : corrected;
    const verdict: Verdict = reason
      ? { ...GOOD, kinds: correction ? ["open", "correctable"] : ["open"], problem: reason, correction }
      : GOOD;
    if (this.#untouched.size > MOST_KNOWN) this.#untouched.clear();
    this.#untouched.set(name, verdict);
    return verdict;
  }

  #set(number: number, verdict: Verdict): void {
    for (const kind of this.verdict(number).kinds) this.#counts.set(kind, this.count(kind) - 1);
    for (const kind of verdict.kinds) this.#counts.set(kind, this.count(kind) + 1);
    this.#verdicts[number] = verdict;
  }
}
