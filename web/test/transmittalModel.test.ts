/** What the transmittal page does to its list of files, without a browser. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compareLists } from "../transmittal/model/compare";
import { addFiles, addPasted, editRow, EMPTY, fromListed, makeRow, nameOf, problemsOfDraft, takeCorrections, toListed, type Source } from "../transmittal/model/draft";
import { findNotNewer, issuedIn, readIndex } from "../transmittal/model/issued";
import { formatOwn, NOTHING, parseOwn, withOwn } from "../transmittal/model/own";
import { formatRows, parsePaste, PasteError } from "../transmittal/model/paste";
import { rowOf } from "../shared/transmittal/delivery";
import { placeOf } from "../archive/model/places";
import { formatIndex } from "../shared/files/indexFile";
import { formatTsv } from "../classifier/model/tsv";

const columns = (count: number) => `${count} columns`;
const source = { place: { kind: "local" }, path: "" } as unknown as Source;
const HASH = "0".repeat(64);
const file = (name: string, hash = HASH) => makeRow({ ...source, path: name }, name, hash, 1);
const SITE = "ACME-CIV-DWG-0001_A (IFC) - Site.pdf";

test("what is pasted is read by its columns", () => {
  assert.deepEqual(parsePaste("A-1\tSite\tB (IFC)", columns), [
    { trackingNumber: "A-1", title: "Site", revision: "B", status: "IFC", extension: "" },
  ]);
  assert.deepEqual(parsePaste("A-1\tSite\tB\tIFC\t.pdf\r\n\r\n#\tTitle\tRev\r\n", columns)[0]?.extension, "pdf");
  assert.throws(() => parsePaste("A-1\tSite", columns), new PasteError("2 columns"));
  assert.throws(() => parsePaste("a\tb\tc\td\te\tf", columns), new PasteError("6 columns"));
});

test("a list that was copied is pasted as it was", () => {
  const rows = [rowOf(SITE, HASH, 5), rowOf("x/ACME-CIV-DWG-0002_+ (---) - T\tU.pdf", HASH, 6)];
  const [read] = parsePaste(formatRows(rows), columns);
  assert.deepEqual(read, { trackingNumber: "ACME-CIV-DWG-0001", title: "Site", revision: "A", status: "IFC", extension: "pdf" });
});

test("any cells are read back, or refused with the number of columns", () => {
  const cell = fc.string({ unit: "grapheme" }).map((one) => `x${one.trim()}`);
  fc.assert(
    fc.property(fc.array(fc.array(cell, { minLength: 1, maxLength: 7 }), { minLength: 1 }), (rows) => {
      const wrong = rows.some((row) => row.length < 3 || row.length > 5);
      if (wrong) assert.throws(() => parsePaste(formatTsv(rows), columns), PasteError);
      else assert.equal(parsePaste(formatTsv(rows), columns).length, rows.length);
    }),
  );
});

test("a file takes the row that was pasted for it, and keeps what was typed", () => {
  const pasted = addPasted(EMPTY, parsePaste("ACME-CIV-DWG-0001\tAnother title\tA\tIFC\tpdf", columns), false);
  const added = addFiles(pasted, [file(SITE)]);
  assert.equal(added.rows.length, 1);
  assert.equal(nameOf(added.rows[0]!), "ACME-CIV-DWG-0001_A (IFC) - Another title.pdf");
  assert.equal(added.rows[0]!.sha256, HASH);
  // The same file again only brings its bytes.
  const again = addFiles(addFiles(EMPTY, [file(SITE)]), [file(SITE, "1".repeat(64))]);
  assert.deepEqual(again.rows.map((row) => row.sha256), ["1".repeat(64)]);
});

test("documents of several extensions keep their rows", () => {
  const list = "ACME-CIV-DWG-0001\tPlan\tA\tIFC\tpdf\nACME-CIV-DWG-0001\tDrawing\tA\tIFC\tdwg";
  const pasted = addPasted(EMPTY, parsePaste(list, columns), false);
  assert.deepEqual(pasted.rows.map((row) => [row.title, row.extension]), [["Plan", "pdf"], ["Drawing", "dwg"]]);
  const added = addFiles(pasted, ["dwg", "pdf", "ifc"].map((one) => file(SITE.replace("pdf", one))));
  assert.deepEqual(added.rows.map((row) => [row.title, row.extension, row.sha256 !== ""]), [
    ["Plan", "pdf", true], ["Drawing", "dwg", true], ["Site", "ifc", true],
  ]);
  // Without an extension, what is pasted is about all of them.
  const again = addPasted(added, parsePaste("ACME-CIV-DWG-0001\tLayout\tA", columns), false);
  assert.deepEqual(again.rows.map((row) => row.title), ["Layout", "Layout", "Layout"]);
});

test("a file that is added again keeps the name that it was given", () => {
  const draft = addFiles(EMPTY, [file("Scan 1.pdf")]);
  const given = editRow(draft, draft.rows[0]!.id, { trackingNumber: "ACME-CIV-DWG-0001", revision: "A", status: "IFC", title: "Site" });
  const again = addFiles(given, [file("Scan 1.pdf", "1".repeat(64))]);
  assert.deepEqual(again.rows.map((row) => [nameOf(row), row.readName, row.sha256[0]]), [[SITE, "Scan 1.pdf", "1"]]);
});

test("a tracking number may begin like a head", () => {
  for (const head of ["#", "Tracking Number", "tracking no.", "tracking_number", "Document No", "Title", "Rev.", "Extension"]) {
    assert.deepEqual(parsePaste(`${head}\tb\tc`, columns), [], head);
  }
  for (const number of ["EXT-CIV-0001", "REV-1", "TITLE-BLOCK-1", "STATUS-1", "No-1"]) {
    assert.equal(parsePaste(`${number}\tb\tA`, columns)[0]?.trackingNumber, number);
  }
});

test("a list that was copied is pasted as it was, also without files", () => {
  const rows = [{ ...rowOf(SITE, "", 0), size: 0 }];
  assert.equal(parsePaste(formatRows(rows), columns)[0]?.trackingNumber, "ACME-CIV-DWG-0001");
});

test("a name follows the fields once they are typed, and only then", () => {
  const draft = addFiles(EMPTY, [file("ACME-CIV-DWG-0001_A(IFC)-Site.pdf")]);
  const row = draft.rows[0]!;
  assert.equal(nameOf(row), "ACME-CIV-DWG-0001_A(IFC)-Site.pdf");
  assert.equal(nameOf(editRow(draft, row.id, { title: "Site" }).rows[0]!), SITE);
  const corrected = takeCorrections(addFiles(EMPTY, [file("ACME-CIV-DWG-0001_A (ifc) - Site.pdf"), file("Scan 1.pdf")]));
  assert.deepEqual([corrected.count, corrected.draft.rows.map(nameOf)], [1, [SITE, "Scan 1.pdf"]]);
});

test("a problem is told in the row that has it", () => {
  const draft = { ...EMPTY, rows: ["Scan 1.pdf", SITE, "ACME-CIV-DWG-0001_A (IFC) - Other.pdf"].map((name) => file(name)) };
  const { header, rows } = problemsOfDraft(draft, "2025-10-31");
  assert.ok(header.includes("purpose is missing"));
  assert.deepEqual(
    draft.rows.map((row) => rows.get(row.id) ?? []),
    [["no '_' after the tracking number"], [], ["a second file of one document, revision and extension"]],
  );
});

test("a transmittal is compared with an earlier one by document and revision", () => {
  const name = (number: number, revision: string) => `ACME-CIV-DWG-000${number}_${revision} (IFC) - T.pdf`;
  const earlier = [name(1, "A"), name(2, "B"), name(3, "A"), name(4, "A"), name(5, "A")].map((one) => rowOf(one, HASH, 1));
  const later = [name(1, "B"), name(2, "A"), name(4, "A"), name(6, "A")].map((one) => rowOf(one, HASH, 1));
  later.push(rowOf(name(5, "A"), "1".repeat(64), 1));
  const told = compareLists(later, earlier).map(({ change, now, before }) => [change, (now ?? before)!.trackingNumber.at(-1)]);
  assert.deepEqual(told, [["otherBytes", "5"], ["older", "2"], ["revised", "1"], ["added", "6"], ["removed", "3"], ["same", "4"]]);
});

test("own data is read back from any texts, and ends no script", () => {
  const page = '<script id="own-data" type="application/json">{}</script><p>';
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), fc.array(fc.string()), (from, parties) => {
      const own = { ...NOTHING, from, parties, lists: [{ name: from, to: "</script>$&" }] };
      const written = withOwn(page, own);
      assert.equal(written.split("</script>").length, 2);
      assert.deepEqual(parseOwn(written.slice(written.indexOf(">") + 1, written.indexOf("</script>"))), own);
    }),
  );
  assert.deepEqual(parseOwn("{}"), NOTHING);
  assert.deepEqual(parseOwn(formatOwn({ ...NOTHING, leftLogo: "data:text/html,x" })).leftLogo, "");
});

test("a row is written as it was listed", () => {
  const listed = rowOf(`drawings/${SITE}`, HASH, 7);
  assert.deepEqual(toListed(fromListed(listed)), listed);
});

test("where a folder was issued is what the archive page says", () => {
  const name = fc.constantFrom("issued", "Issued", "received", "mdl", "Rock", "Pump", "", "2025-01-10_A-1 (IFC) - One", "2025-01-10_A-1 (IFC) - One.zip", "2025-13-10_A-1 (IFC) - One", "2025-02-01_A-2 (IFC) - Two");
  fc.assert(
    fc.property(fc.array(name, { maxLength: 6 }), (names) => {
      const folder = names.join("/");
      const { kind, party, transmittal } = placeOf(folder);
      const { trackingNumber = "", date = "" } = transmittal ?? {};
      assert.deepEqual(issuedIn(folder), kind === "issued" && transmittal ? { trackingNumber, date, party } : null, folder);
    }),
  );
});

test("a revision is compared with what an archive has issued", () => {
  const file = (revision: string) => `ACME-CIV-DWG-0001_${revision} (IFC) - Site.pdf`;
  const issued = readIndex(
    formatIndex([
      `Pump/Rock/issued/2025-01-10_ACME-TRN-0001 (IFC) - One/${file("A")}`,
      `Pump/Rock/Issued/2025-03-10_ACME-TRN-0003 (IFC) - Three/drawings/${file("B")}`,
      `Pump/Volt/issued/2025-04-10_ACME-TRN-0004 (IFC) - Four/${file("B")}`,
      `Pump/Volt/issued/2025-04-10_ACME-TRN-0004 (IFC) - Four/ACME-TRN-0004_2025-04-10 (IFC) - Four.html`,
      `Pump/Rock/received/2025-05-10_ROCK-TRN-0009 (IFC) - Five/${file("D")}`,
      `Pump/Rock/issued/2025-05-11_ACME-TRN-0005 (IFR) - Six/${file("~C")}`,
      `Pump/Rock/issued/2025-05-12_ACME-TRN-0006 (RSA) - Seven/${file("B+C1")}`,
      `Pump/Rock/issued/loose/${file("E")}`,
    ].map((path) => ({ path, name: "", folder: "", isFolder: false }))),
  );
  assert.equal(issued.size, 1);
  const ask = (revision: string, number = "acme-civ-dwg-0001") => {
    const found = findNotNewer(issued, number, revision);
    return found && [found.isSame, found.issued.revision, found.issued.date, found.issued.party];
  };
  assert.deepEqual(["A", "B", "0", "~C", "B+C1"].map((one) => ask(one)), [
    [true, "A", "2025-01-10", "Rock"],
    [true, "B", "2025-03-10", "Rock"],
    null,
    [true, "~C", "2025-05-11", "Rock"],
    [true, "B+C1", "2025-05-12", "Rock"],
  ]);
  assert.deepEqual(["C", "~B", "B+C2", "2025-01-01"].map((one) => ask(one)), [null, null, null, [false, "B", "2025-03-10", "Rock"]]);
  assert.equal(ask("A", "ACME-CIV-DWG-0002"), null);
});
