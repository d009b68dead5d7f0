/** The Markdown editor's model: bytes, line ends through edits and undo, front matter, names, tables, links, markup. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { history, redo, undo } from "@codemirror/commands";
import { EditorState, type StateCommand } from "@codemirror/state";
import fc from "fast-check";
import MarkdownIt from "markdown-it";
import { isSameDocument, keepLineEnds, oddEndsOf } from "../mdedit/editor/lineEnds";
import { decodeBytes, encodeText, isSame } from "../mdedit/model/bytes";
import { findFrontMatter, formatScalar, insertKey } from "../mdedit/model/frontMatter";
import { issuedName, nameWithNote, nextDraftName, nextRevision } from "../mdedit/model/names";
import { formatLinkPath, resolvePath } from "../mdedit/model/paths";
import { formatTable, tableFromRange } from "../mdedit/model/table";
import { type Made, renderMarkdown } from "../mdedit/preview/render";

const SOAK = Boolean(process.env["WEAKSPOT_SOAK"]);
const DOCUMENTS = SOAK ? 2_000 : 100;
const RUNS = SOAK ? 3_000 : 200;

/** Documents of the libraries, and the same ones with other line ends, marks and last lines. */
function* documents(): Generator<{ name: string; bytes: Buffer }> {
  // Bundled into web/build, run from there.
  const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "node_modules");
  const names = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((one) => one.endsWith(".md")).sort();
  assert.ok(names.length > 30);
  const ends: ((text: string, line: number) => string)[] = [
    () => "\n",
    () => "\r\n",
    () => "\r",
    (_, line) => (line % 3 ? "\n" : "\r\n"),
    (_, line) => (line % 7 ? "\r\n" : "\n"),
    (_, line) => ["\r", "\n", "\r\n"][line % 3]!,
  ];
  const starts = ["", "\ufeff", "---\ntitle: 'x'\n# note\nlist: [a,  b]\n---\n"];
  const tails = [(text: string) => text, (text: string) => text.replace(/\n+$/, ""), (text: string) => `${text}\n\n \t\n`];
  for (let variant = 0; ; variant += 1) {
    for (const name of names) {
      const text = readFileSync(join(root, name), "utf8");
      const end = ends[variant % ends.length]!;
      const whole = starts[Math.floor(variant / ends.length) % starts.length]! + tails[Math.floor(variant / 18) % tails.length]!(text.replace(/\r\n?/g, "\n"));
      let line = 0;
      yield { name: `${name} ${variant}`, bytes: Buffer.from(whole.replace(/\n/g, () => end(name, (line += 1)))) };
    }
  }
}

function editorOf(bytes: Uint8Array) {
  const read = decodeBytes(bytes);
  return { read, state: EditorState.create({ doc: read.text, extensions: [history(), keepLineEnds(read.odd)] }) };
}

function bytesOf(read: ReturnType<typeof decodeBytes>, state: EditorState): Uint8Array {
  return encodeText(state.doc.toString(), { hasMark: read.hasMark, lineEnd: read.lineEnd, odd: oddEndsOf(state) });
}

/** Elements as markup. */
function write(made: Made["inside"]): string {
  const escape = (text: string) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/"/g, "&quot;");
  return made
    .map((one) => {
      if (typeof one === "string") return escape(one);
      const open = `<${[one.tag, ...[...one.attributes].map(([name, value]) => `${name}="${escape(value)}"`)].join(" ")}>`;
      return /^(?:br|hr|img)$/.test(one.tag) ? open : `${open}${write(one.inside)}</${one.tag}>`;
    })
    .join("");
}

function run(state: EditorState, command: StateCommand): EditorState {
  let next = state;
  command({ state, dispatch: (transaction) => (next = transaction.state) });
  return next;
}

test(`${DOCUMENTS} documents are byte-equal after they were opened, edited, undone and written`, () => {
  let count = 0;
  for (const { name, bytes } of documents()) {
    if (count === DOCUMENTS) break;
    count += 1;
    const { read, state } = editorOf(bytes);
    assert.equal(read.encoding, "UTF-8", name);
    assert.ok(isSame(bytesOf(read, state), bytes), name);
    const middle = Math.floor(state.doc.length / 2);
    const edited = state.update({ changes: { from: middle >> 1, to: middle, insert: "new\nlines\n" } }).state;
    assert.ok(!isSameDocument(edited, state));
    const undone = run(edited, undo);
    assert.ok(isSame(bytesOf(read, undone), bytes), `${name}: after undo`);
    assert.ok(isSameDocument(undone, state));
    const again = run(run(undone, redo), undo);
    assert.ok(isSame(bytesOf(read, again), bytes), `${name}: after redo and undo`);
  }
  assert.equal(count, DOCUMENTS);
});

test("an edit changes its own lines and no other byte", () => {
  const line = fc.stringMatching(/^[a-z é\u2028😀]{0,6}$/u);
  const end = fc.constantFrom("\n", "\r\n", "\r");
  fc.assert(
    fc.property(fc.array(fc.tuple(line, end), { minLength: 1, maxLength: 12 }), line, fc.nat(), fc.boolean(), (lines, last, place, hasMark) => {
      // A CR before an LF would be one line end.
      const whole = `${lines.map(([text, one]) => text + one).join("")}${last}`;
      const bytes = Buffer.from(`${hasMark ? "\ufeff" : ""}${whole}`);
      const { read, state } = editorOf(bytes);
      assert.ok(isSame(bytesOf(read, state), bytes));
      let at = place % (state.doc.length + 1);
      if (/^[\udc00-\udfff]/.test(state.sliceDoc(at, at + 1))) at -= 1; // not into a pair
      const edited = state.update({ changes: { from: at, insert: "XX" } }).state;
      const written = Buffer.from(bytesOf(read, edited)).toString("utf8");
      assert.equal(written.replace("XX", ""), bytes.toString("utf8"));
    }),
    { numRuns: RUNS },
  );
});

test("any bytes are read, and those that cannot be written back are not editable", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      const { read, state } = editorOf(bytes);
      if (read.isEditable) assert.ok(isSame(bytesOf(read, state), bytes));
    }),
    { numRuns: RUNS },
  );
  const of = (...bytes: number[]) => decodeBytes(Uint8Array.from(bytes));
  assert.deepEqual([of(0xff, 0xfe, 0x61, 0).encoding, of(0xff, 0xfe, 0x61, 0).text], ["UTF-16 LE", "a"]);
  assert.deepEqual([of(0xfe, 0xff, 0, 0x61).encoding, of(0xfe, 0xff, 0, 0x61).isEditable], ["UTF-16 BE", false]);
  assert.deepEqual([of(0x4d, 0xfc).encoding, of(0x4d, 0xfc).text, of(0x4d, 0xfc).isEditable], ["Windows-1252", "Mü", false]);
  assert.deepEqual([of(0x61, 0).encoding, of(0x61, 0).isEditable], ["binary", false]);
});

test("front matter is found, and a key is added to it without another change", () => {
  assert.equal(findFrontMatter("# A\n---\nx\n---\n"), null);
  assert.equal(findFrontMatter("---\nno end\n"), null);
  assert.equal(findFrontMatter("----\na: 1\n---\n"), null);
  assert.deepEqual(findFrontMatter("---\r\n"), null);
  const text = "---\na: 1\n  b: 2\nc d: x\n...\nrest";
  const found = findFrontMatter(text)!;
  assert.deepEqual([text.slice(found.from, found.to), text.slice(found.end), found.lines, found.keys], ["a: 1\n  b: 2\nc d: x\n", "rest", 5, ["a", "c d"]]);
  const { at, text: insert, valueAt } = insertKey(text, "title", "Plan: one");
  const next = text.slice(0, at) + insert + text.slice(at);
  assert.equal(next, '---\na: 1\n  b: 2\nc d: x\ntitle: "Plan: one"\n...\nrest');
  assert.equal(next.slice(valueAt).startsWith(' "Plan') || next.slice(valueAt).startsWith('"Plan'), true);
  assert.equal(insertKey("# A\n", "author", "").text, "---\nauthor: \n---\n\n");
  for (const value of ["~B", "0", "2025-01-01", "no", "- x", "a: b", "x #y", "@a", "[a"]) assert.equal(formatScalar(value), JSON.stringify(value));
  for (const value of ["Kick-off meeting", "A", "ACME-MOM-0001"]) assert.equal(formatScalar(value), value);
});

test("names of the next draft and of what is issued follow the convention", () => {
  const today = "2026-11-29";
  const next = (revision: string) => nextRevision(revision, today);
  assert.deepEqual(["A", "Z", "AZ", "ZZ", "c", "0", "09", "1.9", "A+C1", "2025-10-31", "2026-11-29", "x-1"].map(next), [
    "B", "AA", "BA", "AAA", "d", "1", "10", "1.10", "B", today, null, null,
  ]);
  assert.equal(nextDraftName("A-1_A (IFI) - Minutes.md", today), "A-1_~B (IFI) - Minutes.md");
  assert.equal(nextDraftName("A-1_~B (IFI) - Minutes.md", today), null);
  assert.equal(issuedName("A-1_~B (IFI) - Minutes.MD"), "A-1_B (IFI) - Minutes.MD");
  assert.equal(issuedName("A-1_B (IFI) - Minutes.md"), null);
  assert.equal(nextDraftName("notes.md", today), null);
  assert.equal(nameWithNote("A-1_A (IFI) - Minutes.md", "other"), "A-1_A (IFI) - Minutes (other).md");
});

test("links lead to files of the place and nowhere else", () => {
  const cases: [string, string, string | null][] = [
    ["Minutes", "a.md", "Minutes/a.md"],
    ["Minutes", "../Plan%20B.md#part", "Plan B.md"],
    ["", "./images/x.png?y", "images/x.png"],
    ["", "../x.md", null],
    ["a/b", "../../../x", null],
    ["", "/etc/passwd", null],
    ["", "//evil.example/x", null],
    ["", "javascript:alert(1)", null],
    ["", "file:///x", null],
    ["", "..%5Cx.md", null],
    ["a", "%2e%2e/%2e%2e/x", null],
    ["", "%", null],
    ["", "", null],
  ];
  for (const [folder, link, wanted] of cases) assert.equal(resolvePath(folder, link), wanted, link);
  fc.assert(
    fc.property(fc.array(fc.stringMatching(/^[^/\\\0]{1,8}$/u), { minLength: 1, maxLength: 3 }), (parts) => {
      fc.pre(parts.every((one) => one !== "." && one !== ".." && !/[\ud800-\udfff]/.test(one)));
      const path = parts.join("/");
      assert.equal(resolvePath("", formatLinkPath(path)), path);
    }),
    { numRuns: RUNS },
  );
});

test("ranges of a spreadsheet become tables", () => {
  assert.equal(
    tableFromRange("Part\tMass\r\nPump\t120\r\nValve | ball\t7.5\r\n", false),
    "| Part          | Mass |\n| ------------- | ---: |\n| Pump          |  120 |\n| Valve \\| ball |  7.5 |\n",
  );
  assert.equal(tableFromRange("just text", true), null);
  assert.equal(tableFromRange("a\tb", false), null);
  assert.equal(tableFromRange("if x:\n\ty()\n", false), null);
  assert.equal(tableFromRange('"two\r\nlines"\tx\r\n', true), "| two lines | x   |\n| --------- | --- |\n");
  fc.assert(
    fc.property(fc.array(fc.array(fc.string({ maxLength: 8 }), { minLength: 2, maxLength: 2 }), { minLength: 1, maxLength: 4 }), (rows) => {
      const markup = write(renderMarkdown(formatTable(rows)).made);
      assert.equal(markup.match(/<tr/g)?.length, rows.length);
      assert.equal(markup.match(/<t[hd]\b/g)?.length, rows.length * 2, JSON.stringify(rows));
    }),
    { numRuns: RUNS },
  );
});

test("headings, tasks, footnotes and tables are rendered, and HTML is text", () => {
  const { made, headings, matter } = renderMarkdown(
    "---\ntitle: x\n---\n# One *two*\n\nText[^a] and[^b], again[^a], [^none].\n\n- [x] done\n- [ ] open\n\n## One two\n\n|a|\n|--:|\n|1|\n\n<b>no</b>\n\n[^a]: Note with [^b]\n\n    second part\n[^b]: last\n",
  );
  const markup = write(made);
  assert.equal(matter, "title: x\n");
  assert.deepEqual(headings.map(({ level, title, line, id }) => [level, title, line, id]), [
    [1, "One two", 3, "md-one-two"],
    [2, "One two", 10, "md-one-two-1"],
  ]);
  assert.match(markup, /<li data-task="done" data-line="7">|<li data-line="7" data-task="done">|data-task="done"/);
  assert.equal(markup.match(/id="md-note-/g)?.length, 2);
  assert.match(markup, /second part/);
  assert.match(markup, /\[\^none\]/);
  assert.match(markup, /&lt;b&gt;no/);
  assert.match(markup, /<th class="is-right">/);
  assert.doesNotMatch(markup, /style=|<b>|src=/);
});

test("emphasis in emphasis of any depth, and a paragraph of very many lines, are rendered with all their words", () => {
  const [deep, long] = [`${"*Q **Q ".repeat(2_000)}Q${" Q** Q*".repeat(2_000)}`, `Q[^a]\n\n[^a]: ${"Q  \n".repeat(70_000)}Q`];
  for (const source of [deep, long]) {
    let [count, deepest] = [0, 0];
    const left = [{ inside: renderMarkdown(source).made, depth: 0 }];
    for (let next = left.pop(); next; next = left.pop()) {
      deepest = Math.max(deepest, next.depth);
      for (const one of next.inside) {
        if (typeof one === "string") count += one.split("Q").length - 1;
        else left.push({ inside: one.inside, depth: next.depth + 1 });
      }
    }
    assert.equal(count, source.split("Q").length - 1);
    assert.ok(deepest < 250, `${deepest}`);
  }
});

test("documents are made of the elements that markdown-it writes as markup", () => {
  const reference = new MarkdownIt({ html: false });
  // Without what is ours, and what says nothing: line breaks between blocks, sides of columns, where a code block has its line.
  const tidy = (markup: string) =>
    markup
      .replace(/ (?:id|data-line|data-task|style|class|title)="[^"]*"/g, "")
      .replace(/<img[^>]*>/g, (image) => `<img ${/ src="[^"]*"/.exec(image)?.[0]}>`)
      .replace(/\s*(<\/?(?:p|h\d|ul|ol|li|blockquote|pre|hr|table|thead|tbody|tr|th|td|br)\b[^>]*>)\s*/g, "$1")
      .trim();
  reference.validateLink = () => true;
  let count = 0;
  for (const { name, bytes } of documents()) {
    if (count === DOCUMENTS) break;
    count += 1;
    const source = decodeBytes(bytes).text;
    const { made } = renderMarkdown(source.replace(/\[\^|\[[ xX]\]/g, "[-"));
    const body = source.slice(findFrontMatter(source)?.end ?? 0).replace(/\[\^|\[[ xX]\]/g, "[-");
    assert.equal(tidy(write(made)), tidy(reference.render(body)), name);
  }
});
