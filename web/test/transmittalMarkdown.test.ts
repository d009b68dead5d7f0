/** The Markdown of remarks is read as markdown-it reads it, in a time that goes with its length. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import MarkdownIt from "markdown-it";
import { Markdown } from "../transmittal/markdown";
import { readMarkdown, type Inside } from "../transmittal/model/markdown";

const RUNS = process.env["WEAKSPOT_SOAK"] ? 20_000 : 500;
const reference = new MarkdownIt({ html: false, linkify: false, typographer: false }).disable("image");
const MAY_FOLLOW = /^(?:https?|mailto):/i;
// What the page does not follow, it shows as it is written.
reference.validateLink = (href) => MAY_FOLLOW.test(href);

const escape = (text: string) => reference.utils.escapeHtml(text);
const BLOCKS = /^(?:p|h\d|ul|ol|li|blockquote|pre|hr|table|thead|tbody|tr|th|td)$/;

function write(inside: Inside): string {
  return inside
    .map((one) => {
      if (typeof one === "string") return escape(one);
      const { tag, href, start } = one;
      const link = href === undefined ? "" : ` href="${escape(reference.normalizeLink(href))}"`;
      const open = `<${tag}${link}${start === undefined ? "" : ` start="${start}"`}>`;
      return tag === "br" || tag === "hr" ? open : `${open}${write(one.inside)}</${tag}>`;
    })
    .join("");
}

/** Line breaks around blocks, titles, sides of columns and the language of code say nothing here. */
function tidy(html: string): string {
  return html
    .replace(/ (?:title|style|class)="[^"]*"/g, "")
    .replace(/\s*(<\/?([a-z]+\d?)\b[^>]*>)\s*/g, (whole, element: string, tag: string) => (BLOCKS.test(tag) ? element : whole))
    .replace(/<br>\s*/g, "<br>")
    .replace(/\s*<\/code><\/pre>/g, "</code></pre>")
    .trim();
}

/** What markdown-it makes a link without an address of, a link in a link, or a new list behind an empty item. */
const ELSE = /\]\( *\)|\[[^\]]*<http|(?:^|\n)[ >]*(?:[-*]|\d[.)]) *\n *\n *\n/;

function compare(text: string): void {
  if (ELSE.test(text)) return;
  assert.equal(tidy(write(readMarkdown(text))), tidy(reference.render(text)), JSON.stringify(text));
}

const CASES = [
  "", "a", "a\nb", "a  \nb", "a\\\nb", "# One\n## Two ##\n####### seven\n#no\n# ", "One\n===\nTwo\n---\n", "***\n---\n_ _ _\n- - -",
  "- a\n- b\n\n* c", "- a\n\n- b", "- a\n  - b\n    - c\n- d", "1. a\n2. b", "3) a\n4) b\n5. c", "- a\n\n  b\n- c", "-\n- a", "- ```\n  x\n  ```\n- b",
  "text\n- a", "text\n2. a", "text\n1. a", "- a\nlazy\n\nb", "> a\n> b\n\nc", "> a\nlazy", "> - a\n> - b", "> # h\n> x\n\n> y", "- > a\n- > b",
  "    code\n    more\n\n    last\ntext", "```js\n<b>\n```", "~~~\na\n~~~\nb", "```\nno end", "````\n```\n````",
  "|a|b|\n|-|:-:|\n|1|2|\n|3|\n\nx", "a | b\n- | -\n1 | 2 | 3", "| a \\| b | `c` |\n| --- | --- |\n| **x** | y |", "a|b\n--\n", "| a |\n| - |",
  "*a* **b** ***c*** _d_ __e__ ~~f~~ ~g~", "a*b*c a_b_c __a_b__", "**a *b* c**", "*a **b* c**", "** a **", "*a", "a*", "*(*a*)*", "**a", "***a** b*", "*a***", "foo***bar***baz", "*foo**bar**baz*", "**foo*bar*baz**", "_a__b_", "*a~~b~~c*",
  "`a` ``b`c`` `` ` `` `d", "`a\nb`", "` a `", "`*a*`", "*a`*`",
  "[a](http://x.example)", '[a](http://x.example "t")', "[a](<http://x.example/a b>)", "[a](http://x.example/(b))", "[a](javascript:x)", "[a](b.md)", "[a]", "[a][b]\n\n[b]: http://x.example", "[b][]\n\n[B]: <http://x.example> 'title'", "[b]\n\n[b]: http://x.example", "[a [b](http://y.example) c](http://x.example)", "[*a*](http://x.example)", "*[a](http://x.example)*", "[a](http://x.example", "![i](http://x.example/i.png)", "[`]`](http://x.example)", "[a\\]](http://x.example)",
  "<http://x.example/?a=b&c> <kim@acme.example> <b>no</b> <!-- x -->", "<mailto:kim@acme.example>",
  "&amp; &lt; &#65; &#x41; &euro; &none; &#0; & &nbsp;x", "\\*a\\* \\a \\\\ \\[x\\](y)", "a\tb\n\tc", "-\ta\n\n\tb", "1.\ta\n\t- b",
  "a\n\n\n\nb\n", "  a\n   b", "- a\n-b", "1.a", "+ a\n+ b", "- [ ] open\n- [x] done", "10. a\n\n    b", "* * a", "- - a\n  - b", "# *a* `b`", "a <br> b", "Ünï *cödé* “x” **„y“**", "5 * 3 * 2", "snake_case_name", "a**\"b\"**c", "2 < 3 && 4 > 1", "https://x.example",
  "- a\n\n      code\n- b", "1. a\n   > b\n2. c", "> a\n\n> b", "> ```\n> a\nb", "a\n***\nb", "a\n# b", "| a |\n|---|\n> b", "* a\n\n  * b\n\n\n  c",
];

test("what people write in letters is read as markdown-it reads it", () => {
  for (const text of CASES) compare(text);
});

test("drawn texts are read as markdown-it reads them", () => {
  const word = fc.constantFrom("a", "bc", "3", "word", "É", "“", ".", ",", "(", ")", '"', "!");
  const mark = fc.constantFrom("*", "**", "***", "_", "__", "~~", "`", "``", " ", "  ", "[", "]", "](http://x.example)", "\\", "&amp;", "&", "<", ">", "<http://x.example>");
  const inline = fc.array(fc.oneof({ weight: 3, arbitrary: word }, mark, fc.constant(" ")), { minLength: 1, maxLength: 14 }).map((all) => all.join(""));
  fc.assert(fc.property(inline, (text) => compare(`x${text}`)), { numRuns: RUNS });
  const words = fc.array(word, { minLength: 1, maxLength: 3 }).map((all) => `x${all.join(" ")}`);
  const start = fc.constantFrom("", "- ", "* ", "1. ", "2) ", "> ", "# ", "  ", "    ", "  - ", "    - ", "   ", "> - ", "- > ", "```", "***", "---", "===", "| ", "");
  const line = fc.oneof(fc.tuple(start, words).map(([begins, text]) => begins + text), fc.constantFrom("", "", "---", "```", "***", "|-|", "-", "   "));
  fc.assert(fc.property(fc.array(line, { maxLength: 9 }), (lines) => compare(lines.join("\n"))), { numRuns: RUNS });
});

test("hostile texts are read in a time that goes with their length", () => {
  const repeated = ["*a ", "a*", "**a", "_a_ ", "[", "]", "[a](", "[a](b", "![a](", "`", "``a", "<a", "&amp", "\\", "> ", "- ", "  - a\n", "1. a\n", "|a", "|a|\n|-|\n", "a\n", "# ", "[a]: b\n", "[a](http://x)", "[[a](http://x)", "***a", "~~a", "(((", "[](((", "\t", "> - ", "* a *", "a**b", "\ud800"];
  const blanks = (size: number) => " ".repeat(size);
  const texts: ((size: number) => string)[] = [
    ...repeated.map((part) => (size: number) => part.repeat(Math.ceil(size / part.length))),
    (size) => `# a${blanks(size)}x`,
    (size) => `|a|\n-${blanks(size)}x`,
    (size) => `a${blanks(size)}b\nc`,
    (size) => `${"\n".repeat(size)}x`,
    (size) => `\` ${"x".repeat(size)}\``,
    (size) => `[a](${blanks(size)}x`,
    (size) => `[a](b${blanks(size)}x`,
    // A row of a table has as many cells as its head.
    (size) => `${"|a".repeat(size / 8)}\n${"|-".repeat(size / 8)}\n${"a\n".repeat(size / 4)}`,
  ];
  for (const text of texts) {
    const read = (size: number) => {
      const hostile = text(size);
      const began = process.cpuUsage().user;
      readMarkdown(hostile);
      return (process.cpuUsage().user - began) / 1000;
    };
    read(2_000);
    // What else the process does meanwhile, as compiling and clearing up, counts too: the least of many is the text's own.
    let [short, long] = [Infinity, Infinity];
    for (let turn = 0; turn < 10 && long >= 20 + short * 12; turn += 1) {
      [short, long] = [Math.min(short, read(20_000)), Math.min(long, read(80_000))];
    }
    assert.ok(long < 20 + short * 12, `${JSON.stringify(text(24))}: ${short} ms, then ${long} ms`);
  }
});

/** Returns how many letters Q are in elements, and how deep the deepest is in others. */
function measure(inside: Inside): { count: number; depth: number } {
  let [count, depth] = [0, 0];
  const left = [{ inside, at: 0 }];
  for (let next = left.pop(); next; next = left.pop()) {
    depth = Math.max(depth, next.at);
    for (const one of next.inside) {
      if (typeof one === "string") count += one.split("Q").length - 1;
      else left.push({ inside: one.inside, at: next.at + 1 });
    }
  }
  return { count, depth };
}

test("what is nested deeper than anybody writes, and what has very many parts, is shown with all its words", () => {
  const nested = (depth: number) => `${"*Q **Q ".repeat(depth)}Q${" Q** Q*".repeat(depth)}`;
  compare(nested(8));
  const lines = "Q  \n".repeat(70_000);
  const texts = [
    nested(5_000),
    `${"*".repeat(20_000)}Q${"*".repeat(20_000)}`,
    `${"[*".repeat(5_000)}Q${"*](http://x.example)".repeat(5_000)}`,
    lines,
    `> ${"Q  \n".repeat(20_000)}`,
    `[${lines}[Q](http://x.example)](http://y.example)`,
    "> Q\n".repeat(20_000),
    "- Q\n".repeat(20_000),
    "Q\n\n".repeat(20_000),
  ];
  for (const text of texts) {
    const { count, depth } = measure(readMarkdown(text));
    assert.equal(count, text.split("Q").length - 1);
    assert.ok(depth < 500, `${depth}`);
    assert.ok(Markdown({ source: text }));
  }
});
