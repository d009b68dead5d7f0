import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Checks } from "../classifier/model/checks";
import { comparable } from "../classifier/model/comparable";
import { JournalError, formatJournal, formatLine, isFinished, newJournal, parseJournal } from "../classifier/model/journal";
import { nameOf } from "../shared/files/place";
import { type PlanLine, checkPlan, formatPlan, planLine, planSteps, settlePlan } from "../classifier/model/plan";
import { Sheet } from "../classifier/model/sheet";

const bytes = (text: string) => new TextEncoder().encode(text);

// checks of rows

function checked(paths: string[], typed: Record<number, Record<string, string>>, others: string[] = []) {
  const sheet = new Sheet(paths.map((path) => ({ path, size: 1, modified: 1 })));
  for (const [row, fields] of Object.entries(typed)) {
    sheet.edit("e", Object.entries(fields).map(([field, value]) => ({ row: Number(row), field: field as "title", value })));
  }
  return { sheet, checks: new Checks(sheet, () => new Set([...sheet.rows.map((row) => row.name), ...others])) };
}

const GOOD = { tracking: "A-1", revision: "B", status: "IFC", title: "Plan" };

test("a row that nothing is typed in is what 'zddc check' says of it", () => {
  const { checks } = checked(["A-1_B (IFC) - Plan.pdf", "A-1_B(ifc)-Plan.pdf", "Scan.pdf", "2025-10-31_A-1 (IFC) - Set.zip", "2025-10-31_A-1 (ifc) - Set.zip"], {});
  assert.deepEqual([0, 1, 2, 3, 4].map((row) => checks.verdict(row).kinds), [[], ["open", "correctable"], ["open"], [], ["open"]]);
  assert.equal(checks.verdict(1).correction, "A-1_B (IFC) - Plan.pdf");
  assert.match(checks.verdict(2).problem, /tracking number/);
  assert.deepEqual([checks.count("open"), checks.count("correctable")], [3, 1]);
});

test("each kind of problem is found, and counted", () => {
  const of = (typed: Record<string, string>, others: string[] = [], path = "x.pdf") => {
    const { checks } = checked([path], { 0: typed }, others);
    return [checks.verdict(0).kinds, checks.verdict(0).problem, checks.verdict(0).warnings.join()] as const;
  };
  assert.deepEqual(of(GOOD), [["ready"], "", ""]);
  assert.deepEqual(of({ ...GOOD, revision: "" })[0], ["incomplete"]);
  assert.match(of({ ...GOOD, status: "ABC" })[1], /status 'ABC'/);
  assert.match(of({ ...GOOD, tracking: "A_1" })[1], /more than one '_'|read back/);
  assert.match(of({ ...GOOD, title: "a?" })[1], /Windows forbids '\?'/);
  assert.deepEqual(of(GOOD, ["a-1_b (ifc) - plan.PDF"])[0], ["clash"]);
  assert.deepEqual(of({ ...GOOD, extension: "dwg" })[0], ["ready", "extension"]);
  const long = of(GOOD, [], `${"folder/".repeat(40)}x.pdf`);
  assert.deepEqual(long[0], ["ready", "length"]);
  assert.match(long[2], /characters from here on/);
});

test("reported: two rows that would get one name are both refused (clifm 288)", () => {
  const { checks } = checked(["x.pdf", "y.pdf"], { 0: GOOD, 1: { ...GOOD, title: "PLAN" } });
  assert.deepEqual([checks.verdict(0).kinds, checks.verdict(1).kinds], [["twins"], ["twins"]]);
  assert.equal(checks.plan().lines.length, 0);
});

test("the same document, revision and extension under two titles is a warning", () => {
  const { checks } = checked(["x.pdf", "A-1_B (IFC) - Plan.pdf"], { 0: { ...GOOD, title: "Other" } });
  assert.deepEqual(checks.verdict(0).kinds, ["ready", "duplicate"]);
  assert.match(checks.verdict(0).warnings[0]!, /A-1_B \(IFC\) - Plan\.pdf/);
});

test("reported: names are swapped, and a name that is given up is free (nnn 971, ranger 1621)", () => {
  const names = ["A-1_B (IFC) - One.pdf", "A-1_B (IFC) - Two.pdf"];
  const { checks } = checked(names, { 0: { title: "Two" }, 1: { title: "One" } });
  assert.equal(checks.count("ready"), 2);
});

test("a row is refused that needs the name of a row that is refused", () => {
  const names = ["A-1_B (IFC) - One.pdf", "A-1_B (IFC) - Two.pdf", "A-1_B (IFC) - Three.pdf"];
  const { sheet, checks } = checked(names, { 0: { title: "Two" }, 1: { title: "Three" }, 2: { title: "bad?" } });
  assert.deepEqual([0, 1, 2].map((row) => checks.verdict(row).kinds[0]), ["clash", "clash", "windows"]);
  checks.update(sheet.edit("e", [{ row: 2, field: "title", value: "good" }]));
  assert.equal(checks.count("ready"), 3);
  assert.equal(checks.count("clash"), 0);
});

test("what an edit changes is what a check from the start says", () => {
  const typed = fc.array(
    fc.record({
      row: fc.nat(4),
      field: fc.constantFrom("tracking", "revision", "status", "title", "extension"),
      value: fc.constantFrom("A-1", "B", "IFC", "Plan", "plan", "pdf", "a?", "", "x\u0301"),
    }),
    { maxLength: 25 },
  );
  fc.assert(
    fc.property(typed, (changes) => {
      const { sheet, checks } = checked(["x.pdf", "y.pdf", "A-1_B (IFC) - Plan.pdf", "f/A-1_B (IFC) - Plan.pdf", "f/z"], {});
      for (const change of changes) {
        checks.update(sheet.edit("e", [change as { row: number; field: "title"; value: string }]));
      }
      const fresh = new Checks(sheet, () => new Set(sheet.rows.map((row) => row.name)));
      for (let row = 0; row < 5; row += 1) assert.deepEqual(checks.verdict(row), fresh.verdict(row));
      for (const kind of ["ready", "open", "twins", "clash", "incomplete"] as const) assert.equal(checks.count(kind), fresh.count(kind));
    }),
  );
});

// plans

test("letter case and normalisation do not tell names apart", () => {
  for (const [one, other] of [["Straße", "STRASSE"], ["É", "e\u0301"], ["ſ", "S"], ["ΣΑΣ", "σας"], ["ﬁ", "FI"]] as const) {
    assert.equal(comparable(one), comparable(other));
  }
  assert.notEqual(comparable("ı"), comparable("i"));
});

const name = fc.constantFrom<string[]>("a", "A", "b", "c", "d", "é", "e\u0301", "con", "x.", "ß", "SS", "ss");
const plan = fc.uniqueArray(fc.record({ from: name, to: name }), { selector: (line) => line.from, maxLength: 8 });

test("what is settled is a plan without a problem, and nothing is left out that could stay in", () => {
  fc.assert(
    fc.property(plan, fc.array(name, { maxLength: 4 }), (pairs, others) => {
      const names = new Set([...pairs.map((pair) => pair.from), ...others]);
      const lines = pairs.filter((pair) => pair.from !== pair.to).map((pair) => planLine(pair.from, pair.to));
      const settled = settlePlan(lines, () => names);
      const ready = settled.filter((line) => !line.problem);
      assert.deepEqual(checkPlan(ready, () => names).map((line) => line.problem), ready.map(() => ""));
      for (const line of settled) {
        if (!line.problem) continue;
        const more = checkPlan([...ready, { ...line, problem: "" }], () => names);
        const twin = settled.some((other) => other !== line && comparable(other.newName) === comparable(line.newName));
        assert.ok(twin || more.some((one) => one.problem), `${line.path} > ${line.newName}: ${line.problem}`);
      }
    }),
    { numRuns: 500 },
  );
});

test("steps overwrite nothing where letter case counts and where it does not, and give every file its name", () => {
  fc.assert(
    fc.property(plan, fc.boolean(), (pairs, folds) => {
      const key = (text: string) => (folds ? comparable(text) : text);
      const seen = new Set<string>();
      const names = pairs.map((pair) => pair.from).filter((one) => !seen.has(key(one)) && seen.add(key(one)));
      const lines = pairs.filter((pair) => names.includes(pair.from) && pair.from !== pair.to).map((pair) => planLine(pair.from, pair.to));
      const ready = settlePlan(lines, () => new Set(names)).filter((line) => !line.problem);
      const there = new Map(names.map((one) => [key(one), { name: one, content: one }]));
      for (const [from, to] of planSteps(ready, "0123abcd")) {
        const file = there.get(key(from));
        assert.ok(file && file.name === from);
        assert.ok(!there.has(key(to)), `${from} > ${to} overwrites`);
        there.delete(key(from));
        there.set(key(to), { ...file, name: to });
      }
      const goal = new Map(ready.map((line) => [nameOf(line.path), line.newName]));
      for (const one of names) assert.ok([...there.values()].some((file) => file.content === one && file.name === (goal.get(one) ?? one)));
    }),
    { numRuns: 500 },
  );
});

test("a plan as CSV has no formula in it and quotes what needs it", () => {
  const lines: PlanLine[] = [planLine("=1+1.pdf", 'a,"b".pdf', 5), { ...planLine("f/ü.pdf", "@x"), problem: "why, then" }];
  assert.equal(
    formatPlan(lines),
    '\ufeffpath,new_name,size,modified,problem\r\n./=1+1.pdf,"a,""b"".pdf",5,,\r\nf/ü.pdf,./@x,,,"why, then"\r\n',
  );
});

// journals

const path = fc.string({ unit: "binary", minLength: 1 }).filter((text) => !/[/\0]/.test(text) && text !== "." && text !== "..");
const steps = fc.array(fc.tuple(path, path), { minLength: 1, maxLength: 6 });

test("a journal is read as it was written, at any point, and what a killed writer left is ignored", () => {
  fc.assert(
    fc.property(steps, fc.nat(), fc.string(), (pairs, chance, rest) => {
      const journal = { ...newJournal(pairs, new Date("2026-01-02T03:04:05Z"), "ab12"), position: chance % (pairs.length + 1) };
      const text = formatJournal(journal);
      assert.match(text, /^[\x20-\x7e\n]*$/);
      const left = rest.replaceAll("\n", "");
      const read = parseJournal(journal.name, bytes(text + left));
      assert.deepEqual(read, { ...journal, size: text.length });
      assert.equal(isFinished(read), journal.position === 0 || journal.position === pairs.length);
      const open = parseJournal(journal.name, bytes(text + formatLine({ do: 0 })));
      assert.deepEqual([open.position, open.openSteps, isFinished(open)], [0, [0], false]);
    }),
  );
});

test("a journal that does not hold all of its steps yet has none", () => {
  const text = formatJournal(newJournal([["a", "b"], ["c", "d"]], new Date(0), "0000"));
  for (let length = 0; length < text.length; length += 1) {
    assert.deepEqual(parseJournal("j", bytes(text.slice(0, length))).steps, []);
  }
});

test("what is no journal is refused, and no path of one leads elsewhere", () => {
  const heading = '{"journal":"zddc rename","version":1,"steps":1}\n';
  const bad = ["x\n", "[]\n", "{}\n", '{"journal":"zddc rename","version":2,"steps":0}\n', '{"journal":"zddc rename","version":1,"steps":-1}\n'];
  const step = (from: string, to: string) => `${heading}${JSON.stringify({ from, to })}\n`;
  bad.push(step("a", "../b"), step("a/b", "c/b"), step("/a", "/b"), step("..", "a"), step("a\0", "b"), step("", "b"), `${heading}{"from":"a"}\n`);
  for (const line of ['{"do":1}', '{"do":-1}', '{"do":0.5}', '{"end":2}', '{"stop":0}', '{"do":0,"end":0}', "3"]) bad.push(`${step("a", "b")}${line}\n`);
  for (const text of bad) assert.throws(() => parseJournal("j", bytes(text)), JournalError, text);
});
