import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Checks } from "../classifier/model/checks";
import { COLUMNS, FIELDS, tidy } from "../classifier/model/columns";
import {
  cellsOf,
  changesOf,
  emptyRange,
  fillDown,
  fillRight,
  fillSeries,
  pasteBlock,
  replaceIn,
  splitRows,
} from "../classifier/model/edits";
import { followRenames } from "../classifier/model/follow";
import { PatternError, compilePattern, compileReplacement, splitName } from "../classifier/model/patterns";
import { continueSeries } from "../classifier/model/series";
import { type Change, Sheet } from "../classifier/model/sheet";
import { formatHtmlTable, formatTsv, parseTsv } from "../classifier/model/tsv";
import { patternText } from "../classifier/text";

const at = (name: (typeof COLUMNS)[number]) => COLUMNS.indexOf(name);
const cells = (top: number, bottom: number, left: (typeof COLUMNS)[number], right = left) => ({
  top,
  bottom,
  left: at(left),
  right: at(right),
});
const sheetOf = (...paths: string[]) => new Sheet(paths.map((path) => ({ path, size: 1, modified: 1 })));
const everyRow = (sheet: Sheet) => sheet.rows.map((_, number) => number);
const values = (sheet: Sheet, name: (typeof COLUMNS)[number]) => everyRow(sheet).map((row) => sheet.text(row, name));

// the clipboard

const cell = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.constantFrom('"', '""', '"a"', "\t", "\r", "\n", "\r\n", 'say "hi"', '12" pipe', '"', " ", ""),
);

test("any range is read from the clipboard as it was copied", () => {
  fc.assert(
    fc.property(fc.array(fc.array(cell, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 5 }), (rows) => {
      assert.deepEqual(parseTsv(formatTsv(rows)), rows);
    }),
  );
});

test("reported: what Excel copies has a line end behind it, which is no row (ag-grid 4888, DataGridXL2 32)", () => {
  assert.deepEqual(parseTsv("A\tB\tC\r\n"), [["A", "B", "C"]]);
  assert.deepEqual(parseTsv("A\nB"), [["A"], ["B"]]);
  assert.deepEqual(parseTsv("A\rB\r"), [["A"], ["B"]]);
});

test("reported: empty cells at the start and the end of what is pasted stay (glide-data-grid 472)", () => {
  assert.deepEqual(parseTsv("\n\nhello"), [[""], [""], ["hello"]]);
  assert.deepEqual(parseTsv("a\t\r\n\t\r\n"), [["a", ""], ["", ""]]);
  assert.deepEqual(parseTsv(""), [[""]]);
});

test("reported: a quoted cell keeps its tabs, line breaks and quotes (slickgrid-universal 1559, ag-grid-enterprise 145)", () => {
  assert.deepEqual(parseTsv('"two\nlines"\t"a\tb"\r\n"say ""hi"""\tx\r\n'), [["two\nlines", "a\tb"], ['say "hi"', "x"]]);
});

test("a quote that opens nothing is a character: inches and half a quotation", () => {
  assert.deepEqual(parseTsv('12" pipe\t"open\r\n"a"b\t"\r\n'), [['12" pipe', '"open'], ['"a"b', '"']]);
});

test("what is copied is text for a spreadsheet: no formula, no lost zeros", () => {
  assert.equal(formatHtmlTable([["=1+1", '<b>"&']]), `<table><tr><td style="mso-number-format:'\\@'">=1+1</td><td style="mso-number-format:'\\@'">&lt;b&gt;&quot;&amp;</td></tr></table>`);
});

// series

test("a series counts numbers, letters and days, and repeats the rest", () => {
  assert.deepEqual(continueSeries(["DWG-0009"], 2), ["DWG-0010", "DWG-0011"]);
  assert.deepEqual(continueSeries(["DWG-0010", "DWG-0020"], 2), ["DWG-0030", "DWG-0040"]);
  assert.deepEqual(continueSeries(["99 m"], 2), ["100 m", "101 m"]);
  assert.deepEqual(continueSeries(["03", "02"], 2), ["01", "00"]);
  assert.deepEqual(continueSeries(["Y"], 3), ["Z", "AA", "AB"]);
  assert.deepEqual(continueSeries(["~a"], 2), ["~b", "~c"]);
  assert.deepEqual(continueSeries(["2024-02-28"], 2), ["2024-02-29", "2024-03-01"]);
  assert.deepEqual(continueSeries(["9999-12-31"], 2), ["9999-12-31", "9999-12-31"]);
  assert.deepEqual(continueSeries(["1", "0"], 2), ["1", "0"]);
  assert.deepEqual(continueSeries(["Site", "Plan"], 3), ["Site", "Plan", "Site"]);
  assert.deepEqual(continueSeries([], 1), [""]);
});

test("a series of numbers goes on from its last value in equal steps, at any length", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 10n ** 40n }), fc.bigInt({ min: 0n, max: 1000n }), fc.string(), (first, step, before) => {
      const head = before.replace(/\d/g, "");
      const seeds = [`${head}${first}`, `${head}${first + step}`];
      assert.deepEqual(continueSeries(seeds, 2), [2n, 3n].map((n) => `${head}${String(first + step * n).padStart(String(first + step).length, "0")}`));
    }),
  );
});

// the sheet

const change: fc.Arbitrary<Change> = fc.record({
  row: fc.nat(3),
  field: fc.constantFrom(...FIELDS),
  value: fc.option(fc.string({ maxLength: 5 }), { nil: null }),
});

test("any number of edits is undone, one by one, and done again", () => {
  fc.assert(
    fc.property(fc.array(fc.array(change, { maxLength: 6 }), { maxLength: 12 }), (edits) => {
      const sheet = sheetOf("A-1_B (IFC) - T.pdf", "scan 1.pdf", "b/x", "c.dwg");
      const state = () => JSON.stringify(sheet.rows.map((row) => Object.entries(row.typed).sort()));
      const states = [state()];
      for (const changes of edits) if (sheet.edit("e", changes).length) states.push(state());
      for (const before of states.toReversed().slice(1)) {
        assert.ok(sheet.undo().length);
        assert.equal(state(), before);
      }
      assert.deepEqual(sheet.undo(), []);
      for (const after of states.slice(1)) {
        assert.ok(sheet.redo().length);
        assert.equal(state(), after);
      }
      assert.deepEqual(sheet.redo(), []);
    }),
  );
});

test("a thousand edits are undone: there is no last one", () => {
  const sheet = sheetOf("x.pdf");
  for (let n = 0; n < 1000; n += 1) sheet.edit("e", [{ row: 0, field: "title", value: `t${n}` }]);
  for (let n = 0; n < 1000; n += 1) sheet.undo();
  assert.equal(sheet.newName(0), "x.pdf");
});

test("what is typed has no white space around it and no line break in it; nothing is what the name says", () => {
  assert.equal(tidy("\u00a0 two\r\n  lines\t"), "two lines");
  const sheet = sheetOf("A-1_B (IFC) - T.pdf");
  sheet.edit("e", [{ row: 0, field: "title", value: " Site\n layout " }]);
  assert.equal(sheet.newName(0), "A-1_B (IFC) - Site layout.pdf");
  sheet.edit("e", [{ row: 0, field: "title", value: "  " }]);
  assert.equal(sheet.isTyped(0, "title"), false);
});

test("a name without the shape gives its title and extension, and what is missing is shown", () => {
  const sheet = sheetOf("scans/Scan 17.PDF");
  assert.deepEqual(sheet.fields(0), { tracking: "", revision: "", status: "", title: "Scan 17", extension: "PDF" });
  assert.equal(sheet.isChanged(0), false);
  sheet.edit("e", [{ row: 0, field: "tracking", value: "A-1" }]);
  assert.equal(sheet.newName(0), "A-1_? (?) - Scan 17.PDF");
  assert.equal(sheet.missing(0), "revision");
});

test("a whole new name is split into the fields", () => {
  const sheet = sheetOf("x.pdf");
  sheet.edit("e", changesOf(sheet, 0, "newName", "A-1_~B+C2 (IFR) - Two - parts.pdf"));
  assert.deepEqual(sheet.fields(0), { tracking: "A-1", revision: "~B+C2", status: "IFR", title: "Two - parts", extension: "pdf" });
  sheet.edit("e", changesOf(sheet, 0, "newName", " "));
  assert.equal(sheet.newName(0), "x.pdf");
});

// ranges

test("one value fills a range; a block that fits is repeated; another one is put once (ag-grid 8430)", () => {
  const sheet = sheetOf(..."abcdef".split("").map((name) => `${name}.pdf`));
  const view = everyRow(sheet);
  sheet.edit("paste", pasteBlock(sheet, view, cells(0, 5, "status"), [["IFC"]]).changes);
  assert.deepEqual(values(sheet, "status"), Array(6).fill("IFC"));
  sheet.edit("paste", pasteBlock(sheet, view, cells(0, 5, "revision"), [["A"], ["B"]]).changes);
  assert.deepEqual(values(sheet, "revision"), ["A", "B", "A", "B", "A", "B"]);
  sheet.edit("paste", pasteBlock(sheet, view, cells(0, 4, "revision"), [["X"], ["Y"]]).changes);
  assert.deepEqual(values(sheet, "revision"), ["X", "Y", "A", "B", "A", "B"]);
});

test("what is pasted beyond the sheet, or over a column that is read, is counted and not lost without a word", () => {
  const sheet = sheetOf("a.pdf", "b.pdf");
  const pasted = pasteBlock(sheet, [0, 1], cells(1, 1, "extension"), [["dwg", "A-1_B (IFC) - N.pdf", "z"], ["x"], ["y"]]);
  assert.equal(pasted.rowsLeft, 2);
  assert.equal(pasted.cellsLeft, 1);
  sheet.edit("paste", pasted.changes);
  assert.equal(sheet.newName(1), "A-1_B (IFC) - N.pdf");
  assert.equal(pasteBlock(sheet, [0, 1], cells(1, 1, "extension"), Array(200_000).fill(["x"])).rowsLeft, 199_999);
});

test("reported: a paste, a fill and a delete leave the rows alone that a filter hides (kendo 7859, ONLYOFFICE 74)", () => {
  const sheet = sheetOf("a.pdf", "b.pdf", "c.pdf", "d.pdf");
  const view = [0, 2, 3];
  sheet.edit("paste", pasteBlock(sheet, view, cells(0, 0, "tracking"), [["1"], ["2"], ["3"]]).changes);
  assert.deepEqual(values(sheet, "tracking"), ["1", "", "2", "3"]);
  sheet.edit("fill", fillDown(sheet, view, cells(0, 2, "tracking")));
  assert.deepEqual(values(sheet, "tracking"), ["1", "", "1", "1"]);
  sheet.edit("clear", emptyRange(view, cells(0, 2, "tracking")));
  assert.deepEqual(values(sheet, "tracking"), ["", "", "", ""]);
});

test("names of a spreadsheet find their rows by the old name, in any order", () => {
  const sheet = sheetOf("a.pdf", "b.pdf", "x/c.pdf", "y/c.pdf");
  const block = [["b.pdf", "A-2_A (IFC) - B.pdf"], ["nobody.pdf", "z"], ["x\\c.pdf", "A-3_A (IFC) - C.pdf"], ["c.pdf", "q"], ["", ""]];
  const pasted = pasteBlock(sheet, [0, 1, 2, 3], cells(0, 0, "original"), block);
  sheet.edit("paste", pasted.changes);
  assert.deepEqual(values(sheet, "newName"), ["a.pdf", "A-2_A (IFC) - B.pdf", "A-3_A (IFC) - C.pdf", "c.pdf"]);
  assert.deepEqual([pasted.unknown, pasted.ambiguous], [["nobody.pdf"], ["c.pdf"]]);
  const fields = pasteBlock(sheet, [0, 1, 2, 3], cells(0, 0, "original"), [["a.pdf", "A-1", "C", "IFR", "Title"]]);
  sheet.edit("paste", fields.changes);
  assert.equal(sheet.newName(0), "A-1_C (IFR) - Title.pdf");
});

test("fill down takes the row above where one row is selected, fill right the column left of it", () => {
  const sheet = sheetOf("A-1_B (IFC) - T.pdf", "b.pdf");
  sheet.edit("fill", fillDown(sheet, [0, 1], cells(1, 1, "tracking", "status")));
  assert.equal(sheet.newName(1), "A-1_B (IFC) - b.pdf");
  assert.deepEqual(fillDown(sheet, [0, 1], cells(0, 0, "tracking")), []);
  sheet.edit("fill", fillRight(sheet, [0, 1], cells(0, 1, "revision", "status")));
  assert.deepEqual(values(sheet, "status"), ["B", "B"]);
  sheet.edit("fill", fillRight(sheet, [0, 1], cells(1, 1, "tracking")));
  assert.equal(sheet.value(1, "tracking"), "b.pdf".replace(/.*/, sheet.row(1).name));
});

test("a series starts with one row, or with two that are typed and differ", () => {
  const sheet = sheetOf("a", "b", "c", "d");
  const view = everyRow(sheet);
  const type = (row: number, value: string) => sheet.edit("e", [{ row, field: "tracking", value }]);
  type(0, "D-0001");
  sheet.edit("s", fillSeries(sheet, view, cells(0, 3, "tracking")));
  assert.deepEqual(values(sheet, "tracking"), ["D-0001", "D-0002", "D-0003", "D-0004"]);
  type(1, "D-0011");
  sheet.edit("s", fillSeries(sheet, view, cells(0, 3, "tracking")));
  assert.deepEqual(values(sheet, "tracking"), ["D-0001", "D-0011", "D-0021", "D-0031"]);
  sheet.edit("s", fillSeries(sheet, view, cells(0, 3, "tracking"), 1));
  assert.equal(sheet.value(3, "tracking"), "D-0004");
});

test("reported: a copy holds all rows of the range, however few are drawn (mui-x 1197)", () => {
  const sheet = sheetOf(...Array.from({ length: 5000 }, (_, n) => `${n}.pdf`));
  const copied = cellsOf(sheet, everyRow(sheet), cells(0, 4999, "original", "verdict"), () => "v");
  assert.equal(copied.length, 5000);
  assert.deepEqual(copied[4999], ["4999.pdf", "", "", "", "4999", "pdf", "4999.pdf", "v"]);
});

// patterns

test("a template splits names of vendors", () => {
  const split = (pattern: string, name: string) => splitName(name, compilePattern(pattern, patternText));
  assert.deepEqual(split("{tracking} rev {revision} {title}.{extension}", "ACME-CIV-0001  Rev B Site layout v1.2.pdf"), {
    tracking: "ACME-CIV-0001",
    revision: "B",
    title: "Site layout v1.2",
    extension: "pdf",
  });
  assert.deepEqual(split("{any}_{tracking}_{status}.{extension}", "2024 x_A-1_ifc.dwg"), {
    tracking: "A-1",
    status: "IFC",
    extension: "dwg",
  });
  assert.equal(split("{tracking}[{revision}]", "A-1(B)"), null);
  assert.deepEqual(split("(?<tracking>\\d+)-(?<title>.*)\\.", "17-Plan.pdf"), { tracking: "17", title: "Plan" });
});

test("a pattern that cannot be used says why", () => {
  for (const [pattern, words] of [
    ["", /write what/],
    ["plan", /names no field/],
    ["{name}", /'name' is no field/],
    ["{title}{title}", /twice/],
    ["(?<tracking>", /not a regular expression/],
    ["(?<number>.)", /'number' is no field/],
  ] as const) {
    assert.throws(() => compilePattern(pattern, patternText), (error) => error instanceof PatternError && words.test(error.message));
  }
});

test("every text is a template or says why not; a template without fields in odd characters matches itself", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (text) => {
      const odd = text.replace(/[{}\s]/g, "").replaceAll("(?<", "");
      const split = splitName(`${odd}A-1${odd}`, compilePattern(`${odd}{tracking}${odd}`, patternText));
      assert.equal(split?.tracking, "A-1");
    }),
  );
});

const replaced = (find: string, replacement: string, text: string, regular = true, matchCase = true) =>
  compileReplacement({ find, replacement, regular, matchCase }, patternText)(text);

test("reported: groups are replaced in every form people write (PowerToys 881, 3144, 4160)", () => {
  assert.equal(replaced("(.*)", "$1.test", "Plan"), "Plan.test");
  assert.equal(replaced("(.*)", "$1_0", "Plan"), "Plan_0");
  assert.equal(replaced("(.*)", "\\1.txt", "Plan"), "Plan.txt");
  assert.equal(replaced("(.)(.)", "$2$1", "abcd"), "badc");
  assert.equal(replaced("(?<n>\\d+)", "<$<n>|$&|$$>", "a7"), "a<7|7|$>");
  assert.equal(replaced("(a)", "$10", "a"), "a0");
  assert.equal(replaced("a", "$1", "a"), "$1");
  assert.equal(replaced("$", "-end", "Plan"), "Plan-end");
});

test("without a regular expression every character stands for itself", () => {
  assert.equal(replaced(".*", "$1$&", "a.*b", false), "a$1$&b");
  assert.equal(replaced("NPV-115a", "NPV-116A", "npv-115A Cover Page", false, false), "NPV-116A Cover Page");
});

test("groups stand for what String.replace says they do", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 12 }), fc.array(fc.constantFrom("$1", "$2", "$$", "$&", "x", "$", "$3", "$01"), { maxLength: 5 }), (text, parts) => {
      const replacement = parts.join("");
      assert.equal(replaced("(.)(x|y)?", replacement, text), text.replace(/(.)(x|y)?/gu, replacement));
    }),
  );
});

test("reported: a replacement in one column leaves the extension alone (PowerToys 622)", () => {
  const sheet = sheetOf("pdf plan.pdf", "other.dwg");
  sheet.edit("replace", replaceIn(sheet, [0, 1], "title", values(sheet, "title").map((text) => text.replace("pdf", "PDF"))));
  assert.deepEqual(values(sheet, "title"), ["PDF plan", "other"]);
  assert.deepEqual(values(sheet, "extension"), ["pdf", "dwg"]);
});

test("splitting changes only what the pattern matches", () => {
  const sheet = sheetOf("A-1 rB Plan.pdf", "other.pdf");
  const pattern = compilePattern("{tracking} r{revision} {title}.{extension}", patternText);
  const found = values(sheet, "original").map((name) => splitName(name, pattern));
  sheet.edit("split", splitRows([0, 1], found));
  assert.equal(found[1], null);
  assert.deepEqual(values(sheet, "newName"), ["A-1_B (?) - Plan.pdf", "other.pdf"]);
});

// speed

test("5,000 × 5 cells are pasted and checked; the time is printed", (context) => {
  const sheet = sheetOf(...Array.from({ length: 5000 }, (_, n) => `vendor/Scan ${n}.pdf`));
  const checks = new Checks(sheet, () => new Set(sheet.rows.map((row) => row.name)));
  const lines = Array.from({ length: 5000 }, (_, n) => `ACME-CIV-DWG-${n}\tA\tIFC\tSheet ${n}\tpdf\r\n`).join("");
  const start = performance.now();
  const pasted = pasteBlock(sheet, everyRow(sheet), cells(0, 0, "tracking"), parseTsv(lines));
  checks.update(sheet.edit("paste", pasted.changes));
  context.diagnostic(`${Math.round(performance.now() - start)} ms`);
  assert.equal(checks.count("ready"), 5000);
});

test("names that are handed on from file to file are all there after the renames", () => {
  const [one, two, three] = ["D/A-1_A (IFC) - Plan.pdf", "D/A-2_A (IFC) - Plan.pdf", "D/A-3_A (IFC) - Plan.pdf"] as const;
  const sheet = sheetOf(one, two);
  const names = new Map([["D", new Set(sheet.rows.map((row) => row.name))]]);
  sheet.edit("typing", [{ row: 0, field: "tracking", value: "A-2" }, { row: 1, field: "tracking", value: "A-3" }]);
  assert.deepEqual(followRenames({ sheet, names }, new Map([[one, two], [two, three]])), [0, 1]);
  assert.deepEqual(sheet.rows.map((row) => row.path), [two, three]);
  assert.deepEqual([...names.get("D")!].sort(), ["A-2_A (IFC) - Plan.pdf", "A-3_A (IFC) - Plan.pdf"]);
  const checks = new Checks(sheet, (folder) => names.get(folder) ?? new Set());
  checks.update(sheet.edit("typing", [{ row: 0, field: "title", value: "Layout" }]));
  assert.deepEqual(checks.verdict(0).kinds, ["ready"]);
  // What was typed before comes back with the old names.
  const typed = new Map([[two, { tracking: "A-2" }], [three, { tracking: "A-3" }]]);
  followRenames({ sheet, names }, new Map([[three, two], [two, one]]), typed);
  assert.deepEqual(sheet.rows.map((row) => [row.path, row.typed.tracking]), [[one, "A-2"], [two, "A-3"]]);
  assert.deepEqual([...names.get("D")!].sort(), ["A-1_A (IFC) - Plan.pdf", "A-2_A (IFC) - Plan.pdf"]);
});

test("a folder that is read again keeps what is typed for the files that are still there", () => {
  const before = sheetOf("one.pdf", "two.pdf");
  before.edit("typing", [{ row: 0, field: "title", value: "One" }, { row: 1, field: "title", value: "Two" }]);
  assert.equal(before.typedRows().length, 2);
  const after = new Sheet([{ path: "new.pdf", size: 1, modified: 1 }, { path: "two.pdf", size: 1, modified: 1 }], before);
  assert.deepEqual(after.rows.map((row) => row.typed), [{}, { title: "Two" }]);
  after.edit("delete", [{ row: 1, field: "title", value: null }]);
  assert.equal(before.value(1, "title"), "Two");
});
