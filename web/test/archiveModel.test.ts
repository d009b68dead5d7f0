import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { buildArchive } from "../archive/model/build";
import { checkFile, filesToHash, knownFiles, type LooseFile } from "../archive/model/check";
import { compareTexts, wayToCompare } from "../archive/model/compare";
import { listDue } from "../archive/model/due";
import { addDays, compareWithList, countStates, daysBetween, readPromises } from "../archive/model/expected";
import { findings } from "../archive/model/findings";
import { documentOf, groupTransmittals, USUAL_KINDS } from "../archive/model/transmittals";
import type { ListedFile } from "../archive/model/types";
import { EVERYTHING, fileList, register, selectFiles } from "../archive/model/view";
import { STATUSES } from "../shared/statuses";

const FIRST = "Acme/received/2025-01-01_T-1 (IFR) - Plans";
const SECOND = "Acme/issued/2025-02-01_T-1 (RSB) - Comments";
const archiveOf = (...paths: (string | ListedFile)[]) =>
  buildArchive(paths.map((one) => (typeof one === "string" ? { path: one, size: 1 } : one)));

test("a draft, comments and what was handed in never become the current revision", () => {
  const archive = archiveOf(
    `${FIRST}/A-1_A (IFR) - Plan.pdf`,
    `${SECOND}/A-1_A+C1 (RSB) - Plan.pdf`,
    "Acme/A-1_~B (DFT) - Plan.docx",
    "Acme/incoming/2025-03-01_T-2 (IFC) - Plans/A-1_0 (IFC) - Plan.pdf",
  );
  const document = archive.byTrackingNumber.get("A-1")!;
  assert.equal(document.current.text, "A");
  assert.deepEqual(document.revisions.map((one) => one.text), ["~B", "A+C1", "A"]);
  assert.deepEqual(document.revisions.map((one) => [one.isDraft, one.modifier]), [[true, ""], [false, "C"], [false, ""]]);
  assert.equal(archive.files.length, 4);
});

test("names that every object has are documents as others are", () => {
  const archive = archiveOf("constructor_A (IFC) - T.pdf", "toString/valueOf_hasOwnProperty (IFC) - T.pdf");
  assert.deepEqual(archive.documents.map((one) => one.trackingNumber), ["constructor", "valueOf"]);
  assert.equal(archive.byTrackingNumber.get("hasOwnProperty"), undefined);
});

test("a filter hides documents, and makes no older revision the current one", () => {
  const archive = archiveOf(`${FIRST}/A-1_A (IFR) - Plan.pdf`, "Acme/A-1_B (IFA) - Plan.pdf", "Acme/A-2_A (IFR) - List.pdf");
  const found = selectFiles(archive, { ...EVERYTHING, query: "rev:^A$" });
  const [group] = register(archive, found, null, "");
  assert.deepEqual(group!.rows.map((row) => [row.tracking_number, row.revision, row.found.length]), [["A-1", "B", 1], ["A-2", "A", 1]]);
  const current = selectFiles(archive, { ...EVERYTHING, query: "rev:^A$", currentOnly: true });
  assert.deepEqual(current.map((file) => file.tracking_number), ["A-2"]);
});

test("choices narrow the list together", () => {
  const archive = archiveOf(`${FIRST}/A-1_A (IFR) - Plan.pdf`, `${SECOND}/A-1_A+C1 (RSB) - Plan.pdf`, "Rock/A-2_A (IFR) - List.dwg", "notes.txt");
  const select = (choice: object) => selectFiles(archive, { ...EVERYTHING, ...choice }).map((file) => file.name[2] + file.extension);
  assert.deepEqual(select({ parties: new Set(["Acme"]) }), ["1pdf", "1pdf"]);
  assert.deepEqual(select({ modifiers: new Set(["C"]) }), ["1pdf"]);
  assert.deepEqual(select({ modifiers: new Set([""]) }).length, 2);
  assert.deepEqual(select({ kinds: new Set([""]), extensions: new Set(["dwg"]) }), ["2dwg"]);
  assert.deepEqual(select({ folders: new Set(["Acme/received"]) }), ["1pdf"]);
  assert.deepEqual(select({ columns: new Map([["party", "^acme | rock"]]) }).length, 2);
  assert.deepEqual(select({ only: new Set([0]) }).length, 1);
});

test("rows are sorted either way, and equal ones keep their order", () => {
  const archive = archiveOf("A-1_10 (IFC) - b.pdf", "A-2_9 (IFC) - a.pdf", "A-3_A (IFC) - a.pdf", "A-4_~A (IFC) - c.pdf");
  const sorted = (column: "revision" | "title", descending: boolean) =>
    fileList(archive, archive.files, { column, descending }, "")[0]!.rows.map((row) => row.tracking_number);
  assert.deepEqual(sorted("revision", false), ["A-4", "A-3", "A-2", "A-1"]);
  assert.deepEqual(sorted("revision", true), ["A-1", "A-2", "A-3", "A-4"]);
  assert.deepEqual(sorted("title", false), ["A-2", "A-3", "A-1", "A-4"]);
  assert.deepEqual(sorted("title", true), ["A-4", "A-1", "A-2", "A-3"]);
});

const path = fc
  .tuple(
    fc.constantFrom("", "Acme/received/2025-01-01_T-1 (IFR) - Plans/", "Acme/issued/2025-02-01_T-1 (RSB) - Comments/", "Acme/incoming/x/", "x/"),
    fc.constantFrom("A-1", "A-10", "B-1", "e\u0301", "\u00e9"),
    fc.constantFrom("A", "~A", "B", "A+C1", "0", "01", "1"),
    fc.constantFrom(...STATUSES.keys()),
    fc.constantFrom("pdf", "PDF", "dwg"),
  )
  .map(([folder, number, revision, status, extension]) => `${folder}${number}_${revision} (${status}) - T.${extension}`);

test("an archive is the same in whatever order its files are listed, and has each file once", () => {
  fc.assert(
    fc.property(fc.uniqueArray(path, { maxLength: 30 }).chain((paths) => fc.tuple(fc.constant(paths), fc.shuffledSubarray(paths, { minLength: paths.length }))), ([one, other]) => {
      const [first, second] = [archiveOf(...one), archiveOf(...other)];
      assert.deepEqual(first, second);
      assert.deepEqual(first.files.map((file) => file.path).sort(), [...one].sort());
      const held = first.documents.flatMap((document) => document.revisions.flatMap((revision) => revision.copies));
      assert.equal(held.length, first.files.filter((file) => file.counts).length);
      assert.equal(first.transmittals.reduce((sum, transmittal) => sum + transmittal.files.length, 0), one.length);
    }),
    { numRuns: 200 },
  );
});

test("transmittals stand by party and month, what is in none last", () => {
  const archive = archiveOf(
    `${FIRST}/A-1_A (IFR) - Plan.pdf`,
    `${FIRST}/native/A-1_A (IFR) - Plan.dwg`,
    `${FIRST}/T-1_2025-01-01 (IFR) - Plans.html`,
    `${SECOND}/A-1_A+C1 (RSB) - Plan.pdf`,
    "Acme/incoming/2025-03-01_T-2 (IFC) - Plans/A-1_0 (IFC) - Plan.pdf",
    "Acme/received/2025-01-15_T-3 (IFC) - Zipped.zip",
    "Acme/notes.txt",
  );
  const [acme, none] = groupTransmittals(archive, { kinds: USUAL_KINDS, parties: null });
  assert.equal(acme!.party, "Acme");
  assert.deepEqual(acme!.months.map((one) => one.month), ["2025-02", "2025-01"]);
  assert.deepEqual(acme!.months[1]!.transmittals.map((one) => [one.trackingNumber, one.isZip, one.files.length]), [["T-3", true, 1], ["T-1", false, 3]]);
  assert.deepEqual(none!.months[0]!.transmittals.map((one) => [one.folder, one.isOutstanding]), [["Acme", true]]);
  assert.equal(documentOf(archive.transmittals.find((one) => one.folder === FIRST)!)!.extension, "html");
});

test("what pages find beyond the commands: twins, names for Windows, long paths", () => {
  const long = `${"x".repeat(120)}/${"y".repeat(120)}`;
  const archive = archiveOf("A-1_A (IFC) - Plan.pdf", "a-1_a (IFC) - plan.PDF", "A-1_A (IFC) - \ufb01t.pdf", "A-1_A (IFC) - fit.pdf", "a:b.txt", `${long}/A-2_A (IFC) - T.pdf`);
  const kinds = findings(archive).map((one) => [one.kind, one.path]);
  assert.equal(kinds.filter(([kind]) => kind === "twin").length, 2);
  assert.ok(kinds.some(([kind, where]) => kind === "windows" && where === "a:b.txt"));
  assert.ok(kinds.some(([kind, where]) => kind === "cut path" && where === `${long}/A-2_A (IFC) - T.pdf`));
});

test("copies whose sizes and hashes are not known are no conflict", () => {
  const one = { path: `${FIRST}/A-1_A (IFR) - Plan.pdf` };
  const other = { path: "Acme/A-1_A (IFR) - Plan.pdf" };
  const kinds = (...files: ListedFile[]) => findings(buildArchive(files)).filter((found) => found.kind === "conflict").length;
  assert.equal(kinds(one, other), 0);
  assert.equal(kinds({ ...one, size: 1 }, { ...other, size: 2 }), 1);
  assert.equal(kinds({ ...one, size: 1, sha256: "a" }, { ...other, size: 1, sha256: "b" }), 1);
  assert.equal(kinds({ ...one, size: 1, sha256: "a" }, { ...other, size: 1, sha256: "a" }), 0);
});

test("a list is read with its headings, with commas, semicolons or tabs, and what is wrong in it is told", () => {
  const expected = [{ trackingNumber: "A-1", title: "Plan, north", revision: "B", due: "2025-01-31", line: 2 }];
  assert.deepEqual(readPromises('\ufeffDocument No,Title,Rev.,Due date\r\nA-1,"Plan, north",B,2025-01-31\r\n').promised, expected);
  assert.deepEqual(readPromises("Due\tTracking number\tRevision\tDescription\n2025-01-31\tA-1\tB\tPlan, north\n").promised, expected);
  assert.deepEqual(readPromises("\nA-1;Plan, north;B;2025-01-31").promised, expected);
  const odd = readPromises("number,title\nA-1,x\nA-1,y\n,z\nA 2,t\n'=A-3,t\n");
  assert.deepEqual(odd.promised.map((one) => one.trackingNumber), ["A-1", "=A-3"]);
  assert.deepEqual(odd.problems.map((one) => one.line), [3, 4, 5]);
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => void readPromises(text)));
});

test("promises are received, missing, late or superseded on a day", () => {
  const archive = archiveOf(
    `${FIRST}/A-1_A (IFR) - Plan.pdf`, "Acme/received/2025-03-01_T-2 (IFC) - P/A-1_0 (IFC) - Plan.pdf",
    "Acme/A-2_~A (DFT) - List.docx", `${FIRST}/X-9_A (IFR) - Other.pdf`,
  );
  const { promised } = readPromises("A-1,,A,2025-01-01\nA-1,,0,2025-02-27\nA-1,,1,2025-06-01\nA-2,,,2025-01-31\nA-3,,,");
  const rows = compareWithList(archive, promised, "2025-02-10");
  assert.deepEqual(rows.map((row) => [row.trackingNumber, row.promisedRevision, row.state, row.daysLate]), [
    ["A-1", "A", "superseded", 0],
    ["A-1", "0", "late", 2],
    ["A-1", "1", "missing", 0],
    ["A-2", "", "late", 10],
    ["A-3", "", "missing", 0],
    ["X-9", "", "not on the list", 0],
  ]);
  assert.deepEqual([...countStates(rows).get("")!], [["superseded", 1], ["late", 2], ["missing", 2], ["not on the list", 1]]);
  assert.equal(addDays("2024-02-28", 2), "2024-03-01");
  assert.equal(daysBetween("2025-03-29", "2025-03-31"), 2);
});

test("a revision waits until it is answered under its number, as a document or as a transmittal", () => {
  const sent = [`${FIRST}/A-1_A (IFR) - Plan.pdf`, `${FIRST}/A-1_A (IFR) - Plan.dwg`, `${FIRST}/A-2_A (IFC) - Built.pdf`];
  const due = (...more: string[]) => listDue(archiveOf(...sent, ...more), "2025-02-10").map((row) => [row.trackingNumber, row.direction, row.due, row.daysLeft]);
  assert.deepEqual(due(), [["A-1", "received", "2025-01-15", -26]]);
  assert.deepEqual(due(`${SECOND}/A-1_A+C1 (RSB) - Plan.pdf`), []);
  const before = (today: string) => listDue(archiveOf(...sent, `${SECOND}/A-1_A+C1 (RSB) - Plan.pdf`), today).length;
  assert.deepEqual([before("2024-12-31"), before("2025-01-01"), before("2025-01-31"), before("2025-02-01")], [0, 1, 1, 0], "as of that day");
  assert.deepEqual(due(`${SECOND}/Z-1_A (RSB) - Comments.pdf`), [], "the transmittal itself is the answer");
  assert.deepEqual(due("Rock/issued/2025-02-01_T-9 (RSB) - C/A-1_A+C1 (RSB) - Plan.pdf").length, 1, "to another party");
  assert.deepEqual(due("Acme/issued/2024-12-01_T-9 (RSB) - C/A-1_A+C1 (RSB) - Plan.pdf").length, 1, "before it was asked");
  assert.deepEqual(due("Acme/received/2025-01-10_T-3 (IFC) - P/A-1_0 (IFC) - Plan.pdf"), [], "a newer one was sent");
  assert.deepEqual(listDue(archiveOf(...sent), "2025-01-20", 30, () => "2025-01-25")[0]!.daysLeft, 5);
});

test("a loose file is judged by its bytes first", () => {
  const [old, now] = ["a".repeat(64), "b".repeat(64)];
  const archive = archiveOf(
    { path: `${FIRST}/A-1_A (IFR) - Plan.pdf`, size: 5, sha256: old },
    { path: "Acme/received/2025-03-01_T-2 (IFC) - P/A-1_0 (IFC) - Plan.pdf", size: 6, sha256: now },
    { path: "Acme/A-2_A (IFR) - Unread.pdf", size: 9 },
  );
  const known = knownFiles(archive);
  const judge = (name: string, size: number, sha256: string | null) => {
    const { state, currentRevision, since } = checkFile(known, { path: name, name, size, sha256 } satisfies LooseFile);
    return [state, currentRevision, since];
  };
  assert.deepEqual(judge("renamed.pdf", 6, now), ["current", "0", "2025-03-01"]);
  assert.deepEqual(judge("A-1_0 (IFC) - Plan.pdf", 5, old), ["superseded", "0", "2025-03-01"], "its name says otherwise");
  assert.deepEqual(judge("A-1_0 (IFC) - Plan.pdf", 6, "c".repeat(64))[0], "other bytes");
  assert.deepEqual(judge("a-1_0 (IFC) - plan.PDF", 7, "c".repeat(64))[0], "other bytes");
  assert.deepEqual(judge("A-2_A (IFR) - Unread.pdf", 9, "c".repeat(64))[0], "named current");
  assert.deepEqual(judge("A-2_A (IFR) - Unread.pdf", 8, "c".repeat(64))[0], "other bytes");
  assert.deepEqual(judge("A-1_1 (IFC) - Plan.pdf", 7, "c".repeat(64))[0], "newer");
  assert.deepEqual(judge("A-1_~0 (DFT) - Plan.pdf", 7, "c".repeat(64))[0], "not there");
  assert.deepEqual(judge("A-1_A (IFR) - Other title.pdf", 7, "c".repeat(64))[0], "other bytes");
  assert.deepEqual(judge("holiday.jpg", 7, null)[0], "unknown");
  assert.deepEqual(filesToHash(known, [{ name: "x.pdf", size: 9 }]).map((file) => file.tracking_number), ["A-2"]);
});

test("two texts are compared line by line, and changed lines word by word", () => {
  const { lines, added, removed, changed } = compareTexts("a\nthe old pump\nc\nd\n", "a\nthe new pump\nc\ne\nf\n")!;
  assert.deepEqual([added, removed, changed], [1, 0, 2]);
  const line = lines.find((one) => one.kind === "changed")!;
  assert.deepEqual(line.old!.filter((piece) => piece.isChanged).map((piece) => piece.text.trim()), ["old"]);
  assert.deepEqual(line.new!.filter((piece) => piece.isChanged).map((piece) => piece.text.trim()), ["new"]);
  assert.equal(compareTexts("a\r\nb", "a\nb\n")!.onlyLineEnds, true);
  assert.deepEqual([wayToCompare("md", "txt"), wayToCompare("png", "jpg"), wayToCompare("pdf", "pdf"), wayToCompare("pdf", "dwg")], ["text", "image", "pdf", "bytes"]);
});

test("a comparison has every line of both texts once, in order", () => {
  const body = fc.array(fc.constantFrom("a", "b", "a b", "", "\u202e"), { maxLength: 12 }).map((all) => all.map((line) => `${line}\n`).join(""));
  fc.assert(
    fc.property(body, body, (old, now) => {
      const { lines } = compareTexts(old, now)!;
      const side = (name: "old" | "new") => lines.filter((line) => line[name]).map((line) => `${line[name]!.map((piece) => piece.text).join("")}\n`).join("");
      assert.equal(side("old"), old);
      assert.equal(side("new"), now);
      assert.deepEqual(lines.flatMap((line) => line.newNumber ?? []), Array.from({ length: now.split("\n").length - 1 }, (_, at) => at + 1));
    }),
  );
});
