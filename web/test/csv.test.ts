import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import Papa from "papaparse";
import { formatClipboardTable, formatCsv, formatTsv, guessDelimiter, parseCells } from "../shared/csv";

const cell = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.constantFrom('"', ",", ";", "\r", "\n", "\r\n", "=1+1", "+1", "-1", "@x", "\t=1", "a\tb", "", " "),
);
const table = fc.array(fc.array(cell, { minLength: 2, maxLength: 4 }), { minLength: 1, maxLength: 5 });

test("any table is read from CSV as it was written", () => {
  fc.assert(
    fc.property(table, (rows) => {
      const text = formatCsv(rows, { guard: false });
      assert.ok(text.startsWith("\ufeff") && text.endsWith("\r\n"));
      assert.deepEqual(Papa.parse(text.slice(1, -2), { delimiter: ",", newline: "\r\n" }).data, rows);
    }),
  );
});

test("any table is read from tabs as it was written", () => {
  fc.assert(
    fc.property(table.map((rows) => rows.map((row) => row.map((text) => text.replace(/^[=+\-@\t\r]+/, "")))), (rows) => {
      assert.deepEqual(Papa.parse(formatTsv(rows), { delimiter: "\t", newline: "\r\n" }).data, rows);
    }),
  );
});

test("no cell of text is a formula, and a number stays one", () => {
  fc.assert(
    fc.property(cell, (text) => {
      for (const written of [formatCsv([["x", text]], { mark: false }), formatTsv([["x", text]])]) {
        assert.doesNotMatch(written, /^x[,\t]"?[=+\-@\t]/);
      }
    }),
  );
  assert.equal(formatCsv([[-5, "-5", null]], { mark: false }), "-5,'-5,\r\n");
});

test("the clipboard's table has no markup of a cell", () => {
  const text = formatClipboardTable([["<b>"], ['<img src=x onerror="alert(1)">&'], ["=1"]]);
  assert.equal(
    text,
    "<table><tr><th>&lt;b&gt;</th></tr><tr><td>&lt;img src=x onerror=&quot;alert(1)&quot;&gt;&amp;</td></tr><tr><td>'=1</td></tr></table>",
  );
});

test("what another program reads of a table is read, with any delimiter", () => {
  fc.assert(
    fc.property(table, fc.constantFrom(",", ";", "\t"), (rows, delimiter) => {
      const text = Papa.unparse(rows, { delimiter, newline: "\r\n", quotes: true });
      assert.deepEqual(parseCells(text, delimiter), rows);
      assert.deepEqual(parseCells(text, delimiter), Papa.parse(text, { delimiter }).data);
    }),
  );
});

test("every text is a table, and without quotation marks it is the one that others read", () => {
  const piece = fc.constantFrom(",", "\r\n", "\n", "a", " b", "", '"', '""', 'x"y');
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      const text = pieces.join("");
      assert.ok(parseCells(text, ",").every((row) => row.length > 0));
      const plain = pieces.map((one) => (one.includes('"') ? "q" : one.replace("\r\n", "\n"))).join("");
      if (plain) assert.deepEqual(parseCells(plain, ","), Papa.parse(plain, { delimiter: ",", newline: "\n" }).data);
    }),
  );
  assert.deepEqual(parseCells("a,b\n1,2\n3,4\n", ",", 2), [["a", "b"], ["1", "2"]]);
});

test("the delimiter is the one that the first line has most of", () => {
  assert.equal(guessDelimiter("a;b;c,d\n,,,,"), ";");
  assert.equal(guessDelimiter("a\tb"), "\t");
  assert.equal(guessDelimiter("a"), ",");
});
