/** The specification files, which Python is tested with as well. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import filterSpec from "../../spec/filters.json";
import namingSpec from "../../spec/naming.json";
import revisionSpec from "../../spec/revision-order.json";
import statusSpec from "../../spec/statuses.json";
import windowsSpec from "../../spec/windows-names.json";
import * as filters from "../shared/filters";
import * as naming from "../shared/naming";
import { compareRevisions, parseRevision } from "../shared/revision";
import { STATUSES } from "../shared/statuses";
import { splitVisible, visible, visibleText } from "../shared/visible";
import * as windows from "../shared/windowsNames";

type Parts = Record<string, string>;
type NameCase = { rule: string; name: string; expected: object; canonical?: string };

test("the statuses are those of the specification", () => {
  assert.deepEqual([...STATUSES], Object.entries(statusSpec.statuses));
  assert.equal(STATUSES.has("constructor"), false);
});

test("names of files are read and written as specified", () => {
  for (const one of namingSpec.files as NameCase[]) {
    const read = naming.parseFilename(one.name);
    assert.deepEqual(naming.filenameToJson(read), one.expected, one.rule);
    if (one.canonical === undefined) continue;
    assert.equal(naming.formatFilename({ ...read, extension: read.extensionAsWritten }), one.canonical, one.rule);
  }
  for (const { parts, reason } of namingSpec.unwritable_files as { parts: Parts; reason: string }[]) {
    const fields = { trackingNumber: parts["tracking_number"]!, ...parts } as unknown as naming.NameFields;
    assert.throws(() => naming.formatFilename(fields), (error: Error) => error.message.includes(reason), reason);
  }
});

test("names of folders are read and written as specified", () => {
  for (const one of namingSpec.folders as NameCase[]) {
    const read = naming.parseFoldername(one.name);
    assert.deepEqual(naming.foldernameToJson(read), one.expected, one.rule);
    if (one.canonical !== undefined) assert.equal(naming.formatFoldername(read), one.canonical, one.rule);
  }
  for (const { name, folder } of namingSpec.zipped) assert.equal(naming.folderInZip(name), folder);
  for (const { parts, reason } of namingSpec.unwritable_folders as { parts: Parts; reason: string }[]) {
    const fields = { trackingNumber: parts["tracking_number"]!, ...parts } as unknown as naming.FolderFields;
    assert.throws(() => naming.formatFoldername(fields), (error: Error) => error.message.includes(reason), reason);
  }
});

const anyName = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.array(fc.constantFrom("A-1", "_", " ", "(", "IFC", "ifc", ")", "-", "\u2013", "Plan", ".", "pdf", "~", "+C1", "2025-10-31", "\u00a0", "\n", "\ufeff", "\u0130"), { maxLength: 14 }).map((parts) => parts.join("")),
);

test("any name is read, and a valid one is written back as one that reads the same", () => {
  fc.assert(
    fc.property(anyName, (name) => {
      const read = naming.parseFilename(name);
      assert.equal(read.valid, read.reason === "");
      if (read.valid) {
        const { reason: _, ...parts } = read;
        const again = naming.parseFilename(naming.formatFilename({ ...read, extension: read.extensionAsWritten }));
        assert.deepEqual(again, { ...parts, reason: "" });
      }
      const { reason, corrected } = naming.suggestFilename(name);
      if (corrected) assert.deepEqual(naming.suggestFilename(corrected), { reason: "", corrected: "" });
      assert.ok(!corrected || reason);
      const folder = naming.parseFoldername(name);
      if (folder.valid) assert.deepEqual(naming.parseFoldername(naming.formatFoldername(folder)), folder);
    }),
    { numRuns: 2000 },
  );
});

test("revisions are taken apart and ordered as specified", () => {
  for (const { revision, expected } of revisionSpec.parsed) {
    const read = parseRevision(revision);
    assert.deepEqual(
      {
        base: read.base,
        modifier: read.modifier,
        modifier_type: read.modifierType,
        modifier_number: Number(read.modifierNumber),
        modifier_is_draft: read.modifierIsDraft,
        is_draft: read.isDraft,
        text: read.text,
      },
      expected,
    );
  }
  for (const { ascending, rule } of revisionSpec.orders) {
    for (let older = 0; older < ascending.length; older += 1) {
      for (let newer = older + 1; newer < ascending.length; newer += 1) {
        assert.equal(compareRevisions(ascending[older]!, ascending[newer]!), -1, `${rule}: ${ascending[older]} ${ascending[newer]}`);
        assert.equal(compareRevisions(ascending[newer]!, ascending[older]!), 1);
      }
    }
  }
  for (const { revisions } of revisionSpec.equal) {
    for (const one of revisions) assert.equal(compareRevisions(one, revisions[0]!), 0);
  }
});

test("numbers of any length are ordered by value", () => {
  assert.equal(compareRevisions("9".repeat(5000), `1${"0".repeat(5000)}`), -1);
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 10n ** 40n }), fc.bigInt({ min: 0n, max: 10n ** 40n }), (one, other) => {
      const wanted = one < other ? -1 : one > other ? 1 : 0;
      assert.equal(compareRevisions(`${one}`, `000${other}`), wanted);
      assert.equal(compareRevisions(`A+C${one}`, `A+C0${other}`), wanted);
    }),
  );
});

test("what Windows refuses is refused as specified", () => {
  assert.deepEqual([...windows.RESERVED].sort(), [...windowsSpec.reserved].sort());
  assert.equal(windows.FORBIDDEN, windowsSpec.forbidden);
  for (const { name, problem } of windowsSpec.names) assert.equal(windows.windowsProblem(name), problem, name);
  for (const { path, warning } of windowsSpec.paths) assert.equal(windows.windowsWarning(path), warning, path);
});

test("expressions match what is specified", () => {
  assert.deepEqual(Object.fromEntries(filters.COLUMNS), filterSpec.columns);
  assert.deepEqual(filterSpec.limits, {
    expression: filters.LONGEST_EXPRESSION,
    pattern: filters.LONGEST_PATTERN,
    groups: filters.DEEPEST_GROUP,
  });
  for (const { rule, expression, matches } of filterSpec.cases) {
    const filter = filters.parseFilter(expression);
    const found = Object.entries(filterSpec.rows).flatMap(([name, row]) => (filters.matches(filter, row) ? [name] : []));
    assert.deepEqual(found, matches, `${rule}: ${expression}`);
  }
  for (const { expression, start, end, problem } of filterSpec.errors) {
    assert.throws(
      () => filters.parseFilter(expression),
      (error: filters.FilterError) =>
        error.start === start && error.end === end && error.problem === problem && error.message.includes("; "),
    );
  }
});

const expression = fc.oneof(
  fc.string({ unit: fc.constantFrom(..."ab.*+?[]{}\\^$!|() \":0,-~é"), maxLength: 60 }),
  fc.string({ unit: "binary", maxLength: 60 }),
);

test("any text is an expression or an error with its place, and every row is answered", () => {
  fc.assert(
    fc.property(expression, fc.string({ unit: "binary" }), (text, title) => {
      try {
        const filter = filters.parseFilter(text);
        for (const row of Object.values(filterSpec.rows)) {
          assert.equal(typeof filters.matches(filter, { ...row, title }), "boolean");
        }
      } catch (error) {
        if (!(error instanceof filters.FilterError)) throw error;
        assert.ok(error.from < error.to && error.to <= text.length);
      }
    }),
    { numRuns: 500 },
  );
});

test("a pattern without signs finds what is there, in any letter case", () => {
  const word = fc.string({ unit: fc.constantFrom(..."abcXYZ019-~éÜ平"), minLength: 1, maxLength: 8 });
  const row = filterSpec.rows.notes;
  fc.assert(
    fc.property(word, word, word, (before, inside, after) => {
      const title = before + inside.toUpperCase() + after;
      assert.ok(filters.matches(filters.parseFilter(`title:${inside}`), { ...row, title }));
      assert.ok(!filters.matches(filters.parseFilter(`title:!${inside}`), { ...row, title }));
      assert.ok(filters.matches(filters.parseFilter(`title:^${before}.*${after}$`), { ...row, title }));
      assert.ok(filters.matches(filters.parseFilter(`"${title}"`), { ...row, title }));
    }),
  );
});

test("an expression that JavaScript would try for hours is answered in steps as many as letters", () => {
  const title = "a".repeat(20_000);
  for (const text of ["a*a*a*a*a*a*a*a*b", "[a-z]{0,150}9", ".*".repeat(90) + "9", "(a*a*a*b a?a?a?a?a?a?a?b)"]) {
    assert.equal(filters.matches(filters.parseFilter(text), { ...filterSpec.rows.notes, title }), false);
  }
});

test("what a reader could not see is marked", () => {
  assert.equal(visible("invoice_\u202efdp.exe"), "invoice_⟦U+202E⟧fdp.exe");
  assert.equal(visible("a\tb\nc"), "a⟦U+0009⟧b⟦U+000A⟧c");
  assert.equal(visibleText("a\tb\nc\u0000\ud800"), "a\tb\nc⟦U+0000⟧⟦U+D800⟧");
  assert.equal(visible("Übersicht 平面図 😀"), "Übersicht 平面図 😀");
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      assert.equal(splitVisible(text).map((piece) => piece.text).join(""), visible(text));
    }),
  );
});
