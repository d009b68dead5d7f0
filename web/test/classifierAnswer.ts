/** Answers questions, a line of JSON each, with what the classifier's code says: for the test that Python says the same. */
import { createInterface } from "node:readline";
import { comparable } from "../classifier/model/comparable";
import { Checks } from "../classifier/model/checks";
import { parseJournal } from "../classifier/model/journal";
import { type PlanLine, checkPlan, formatPlan, planLine, planSteps, settlePlan } from "../classifier/model/plan";
import { applyPlan, findJournals, resume } from "../classifier/model/run";
import { Sheet } from "../classifier/model/sheet";
import { MemoryDisk } from "./classifierDisk";

type Pairs = readonly (readonly [path: string, newName: string])[];

interface Question {
  readonly ask: string;
  readonly names?: Record<string, string[]>;
  readonly plan?: Pairs;
  readonly problems?: readonly string[];
  readonly files?: Record<string, string>;
  readonly steps?: number;
  /** Whether the page is killed after so many steps, and writes no line more; else it is stopped. */
  readonly isKilled?: boolean;
  readonly text?: string;
  readonly texts?: readonly string[];
  readonly goal?: "complete" | "undo";
  readonly typed?: readonly { row: number; field: "title"; value: string }[];
}

const linesOf = (question: Question): PlanLine[] =>
  (question.plan ?? []).map(([path, newName], at) => ({ ...planLine(path, newName), problem: question.problems?.[at] ?? "" }));

/** Stops or kills a run after as many steps as the question says. */
function endAfter(disk: MemoryDisk, { steps, isKilled }: Question): { signal: AbortSignal; onProgress(done: number): void } {
  const stop = new AbortController();
  const onProgress = (done: number) => {
    if (done !== steps) return;
    if (isKilled) disk.fail = () => "permission";
    else stop.abort();
  };
  return { signal: stop.signal, onProgress };
}

async function answer(question: Question): Promise<unknown> {
  const listing = (folder: string) => new Set(question.names?.[folder] ?? []);
  switch (question.ask) {
    case "comparable":
      return question.texts!.map(comparable);
    case "check":
      return checkPlan(linesOf(question), listing).map(({ path, newName, problem, warning }) => [path, newName, problem, warning]);
    case "settle":
      return settlePlan(linesOf(question), listing).map(({ path, newName, problem }) => [path, newName, problem]);
    case "steps":
      return planSteps(linesOf(question), "0123abcd");
    case "csv":
      return formatPlan(linesOf(question));
    case "sheet": {
      const sheet = new Sheet(Object.keys(question.files!).map((path) => ({ path, size: 1, modified: 1 })));
      sheet.edit("typing", question.typed!);
      const { lines } = new Checks(sheet, listing).plan();
      return lines.map(({ path, newName }) => [path, newName]);
    }
    case "journal":
      try {
        const { steps, position, openSteps, size } = parseJournal("journal", Buffer.from(question.text!, "latin1"));
        return { steps, position, openSteps, size };
      } catch (error) {
        return error instanceof Error ? error.name : null;
      }
    case "run": {
      const disk = new MemoryDisk(question.files);
      const wanted = linesOf(question).map((line) => ({ line, modified: null }));
      await applyPlan(disk, wanted, endAfter(disk, question));
      return { tree: disk.tree, journals: disk.journals.map((name) => [name, disk.files.get(name)!.text]) };
    }
    case "resume": {
      const disk = new MemoryDisk(question.files);
      disk.put(".zddc-rename-20260101T000000Z-0000.jsonl", question.text!);
      const [journal] = await findJournals(disk);
      await resume(disk, journal!, question.goal!, endAfter(disk, question));
      return { tree: disk.tree, journals: disk.journals.map((name) => [name, disk.files.get(name)!.text]) };
    }
    default:
      throw new Error(`${question.ask}: no such question`);
  }
}

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line) as Question))}\n`);
}
