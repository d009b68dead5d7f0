/** Plans of renames: checked as a whole, put into an order of steps, and written as the CSV of `zddc rename --csv`. */
import { folderOf, joinPath, nameOf } from "../../shared/files/place";
import { compareCodePoints } from "../../shared/pythonText";
import { windowsProblem, windowsWarning } from "../../shared/windowsNames";
import { planText } from "../text";
import { comparable } from "./comparable";

/** A file gets a new name in its folder. Mirrors `zddc.renaming.Rename`. */
export interface PlanLine {
  /** Below the folder of the plan, with "/". */
  path: string;
  newName: string;
  /** In bytes, when the folder was read; null where it does not matter. */
  size: number | null;
  /** Why it is refused; empty if it is not. */
  problem: string;
  /** Why some programs may not take the new name. */
  warning: string;
  /** What kind of problem it is. */
  kind: ProblemKind;
}

export type ProblemKind = "" | "incomplete" | "convention" | "windows" | "clash" | "twins" | "absent";

export function planLine(path: string, newName: string, size: number | null = null): PlanLine {
  return { path, newName, size, problem: "", warning: "", kind: "" };
}

/** The names in a folder: everything that is there, whatever it is. */
export type Listing = (folder: string) => ReadonlySet<string>;

/**
 * Return the lines of a plan that rename anything, each with its problem and warning.
 *
 * All lines of a folder are checked against each other and against what else is in the folder. The answers are those
 * of `zddc.renaming.check_plan` for files.
 */
export function checkPlan(lines: readonly PlanLine[], listing: Listing): PlanLine[] {
  const folders = new Map<string, PlanLine[]>();
  for (const line of lines) {
    if (!line.newName || line.newName === nameOf(line.path)) continue;
    const folder = folderOf(line.path);
    const there = folders.get(folder);
    if (there) there.push(line);
    else folders.set(folder, [line]);
  }
  return [...folders].flatMap(([folder, its]) => checkFolder(folder, its, listing(folder)));
}

function checkFolder(folder: string, lines: readonly PlanLine[], there: ReadonlySet<string>): PlanLine[] {
  const moving = new Set(lines.map((line) => nameOf(line.path)));
  const staying = new Map<string, string>();
  for (const name of there) if (!moving.has(name)) staying.set(comparable(name), name);
  const wanting = new Map<string, PlanLine[]>();
  const times = new Map<string, number>();
  for (const line of lines) {
    const key = comparable(line.newName);
    const rivals = wanting.get(key);
    if (rivals) rivals.push(line);
    else wanting.set(key, [line]);
    times.set(line.path, (times.get(line.path) ?? 0) + 1);
  }
  return lines.map((line) => {
    const key = comparable(line.newName);
    const taken = staying.get(key);
    const rival = wanting.get(key)?.find((other) => other.path !== line.path);
    const problem =
      ((times.get(line.path) ?? 0) > 1 ? planText.severalNames : "") ||
      (there.has(nameOf(line.path)) ? "" : planText.absent) ||
      windowsProblem(line.newName) ||
      (taken === undefined ? "" : planText.taken(taken)) ||
      (rival ? planText.rival(nameOf(rival.path)) : "");
    return { ...line, problem, warning: problem ? "" : windowsWarning(joinPath(folder, line.newName)) };
  });
}

/**
 * Return the lines of a plan, each with its problem, where a line that is refused keeps its file where it is.
 *
 * So a line is refused as well whose new name is that of a file that stays. A line that comes with a problem is
 * refused. The lines without a problem are a plan in which {@link checkPlan} finds none.
 */
export function settlePlan(lines: readonly PlanLine[], listing: Listing): PlanLine[] {
  const folders = new Map<string, PlanLine[]>();
  for (const line of lines) {
    const folder = folderOf(line.path);
    const there = folders.get(folder);
    if (there) there.push(line);
    else folders.set(folder, [line]);
  }
  return [...folders].flatMap(([folder, its]) => settleFolder(folder, its, listing(folder)));
}

function settleFolder(folder: string, lines: readonly PlanLine[], there: ReadonlySet<string>): PlanLine[] {
  const settled = lines.map((line) => ({ ...line, warning: "" }));
  const moving = new Set(settled.filter((line) => !line.problem).map((line) => nameOf(line.path)));
  const staying = new Map<string, string>();
  for (const name of there) if (!moving.has(name)) staying.set(comparable(name), name);
  const wanting = new Map<string, PlanLine[]>();
  for (const line of settled) {
    if (line.problem) continue;
    const key = comparable(line.newName);
    const rivals = wanting.get(key);
    if (rivals) rivals.push(line);
    else wanting.set(key, [line]);
  }
  const refused: PlanLine[] = [];
  const refuse = (line: PlanLine, kind: ProblemKind, problem: string) => {
    if (line.problem) return;
    Object.assign(line, { kind, problem });
    refused.push(line);
  };
  for (const [key, rivals] of wanting) {
    const taken = staying.get(key);
    for (const line of rivals) {
      const rival = rivals.find((other) => other.path !== line.path);
      const windows = windowsProblem(line.newName);
      if (rivals.length > 1 && !rival) refuse(line, "twins", planText.severalNames);
      else if (!there.has(nameOf(line.path))) refuse(line, "absent", planText.absent);
      else if (windows) refuse(line, "windows", windows);
      else if (taken !== undefined) refuse(line, "clash", planText.taken(taken));
      else if (rival) refuse(line, "twins", planText.rival(nameOf(rival.path)));
    }
  }
  // Each file that stays may be in the way of another one.
  for (let line = refused.pop(); line; line = refused.pop()) {
    const name = nameOf(line.path);
    for (const other of wanting.get(comparable(name)) ?? []) if (other !== line) refuse(other, "clash", planText.stays(name));
  }
  for (const line of settled) if (!line.problem) line.warning = windowsWarning(joinPath(folder, line.newName));
  return settled;
}

export type Step = readonly [from: string, to: string];

export const TEMPORARY = /^\.zddc-[0-9a-f]{8}-\d+\.tmp$/;

/**
 * Return the renames of a plan in an order in which every new name is free when its turn comes.
 *
 * Whatever gets a name that another gives up, or its own in another letter case, first gets a temporary name. The
 * reverse order undoes the steps. `run` is eight hexadecimal digits that no other run has.
 */
export function planSteps(lines: readonly PlanLine[], run: string): Step[] {
  const folders = new Map<string, PlanLine[]>();
  for (const line of lines) {
    const folder = folderOf(line.path);
    folders.set(folder, [...(folders.get(folder) ?? []), line]);
  }
  const steps: Step[] = [];
  for (const folder of [...folders.keys()].sort(byDepth)) {
    const its = folders.get(folder) ?? [];
    const givenUp = new Set(its.map((line) => comparable(nameOf(line.path))));
    const away: Step[] = [];
    const straight: Step[] = [];
    const back: Step[] = [];
    its.forEach((line, number) => {
      const target = joinPath(folder, line.newName);
      if (givenUp.has(comparable(line.newName))) {
        const temporary = joinPath(folder, `.zddc-${run}-${number}.tmp`);
        away.push([line.path, temporary]);
        back.push([temporary, target]);
      } else {
        straight.push([line.path, target]);
      }
    });
    for (const step of [...away, ...straight, ...back]) steps.push(step);
  }
  return steps;
}

function byDepth(one: string, other: string): number {
  const depth = (path: string) => (path ? path.split("/").length : 0);
  return depth(other) - depth(one) || compareCodePoints(one, other);
}

const COLUMNS = ["path", "new_name", "size", "modified", "problem"];

/**
 * Return the CSV of a plan, which `zddc rename --csv` reads; the same bytes as `zddc.renaming.format_plan` writes.
 *
 * The time of a file is left empty: a browser knows it in milliseconds only, and that would not compare equal.
 */
export function formatPlan(lines: readonly PlanLine[]): string {
  const rows = lines.map((line) => [
    withoutFormula(line.path),
    withoutFormula(line.newName),
    line.size === null ? "" : String(line.size),
    "",
    line.problem,
  ]);
  return `\ufeff${[COLUMNS, ...rows].map((row) => `${row.map(quoted).join(",")}\r\n`).join("")}`;
}

/** A spreadsheet takes a cell that begins with one of these for a formula. */
function withoutFormula(name: string): string {
  return /^[=+\-@\t\r]/.test(name) ? `./${name}` : name;
}

function quoted(cell: string): string {
  return /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}
