/** Turns Markdown into elements that are in no page yet: no HTML of the document is one, and no link was looked at. */
import MarkdownIt from "markdown-it";
import type { Env, StateBlock, StateCore, StateInline, Token } from "markdown-it";
import { findFrontMatter } from "../model/frontMatter";
import { text } from "../text";

export interface Heading {
  readonly level: number;
  readonly title: string;
  /** Counted from 0, in the whole document. */
  readonly line: number;
  readonly id: string;
}

/** An element, with what is in it; what may have an address, `a` and `img`, has it in its attributes, as it is written. */
export interface Made {
  readonly tag: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly inside: readonly (Made | string)[];
}

export interface Rendered {
  readonly made: Made["inside"];
  readonly headings: readonly Heading[];
  /** What stands between the lines of the front matter. */
  readonly matter: string;
}

interface Notes {
  /** By label: its text. */
  readonly texts: Map<string, string>;
  /** The labels in the order of their numbers. */
  readonly used: string[];
}

const md = new MarkdownIt({ html: false, linkify: false, typographer: false });

/** Renders a document with "\n" as line ends. */
export function renderMarkdown(document: string): Rendered {
  const matter = findFrontMatter(document);
  const body = matter ? document.slice(matter.end) : document;
  const before = matter?.lines ?? 0;
  const env = { notes: { texts: new Map(), used: [] } satisfies Notes, before };
  const tokens = md.parse(body, env);
  const headings: Heading[] = [];
  const ids = new Map<string, number>();
  tokens.forEach((token, at) => {
    if (token.type !== "heading_open") return;
    const title = plainText(tokens[at + 1]);
    const id = uniqueId(title, ids);
    token.attrSet("id", id);
    headings.push({ level: Number(token.tag.slice(1)), title, line: (token.map?.[0] ?? 0) + before, id });
  });
  return {
    made: elementsOf(tokens),
    headings,
    matter: matter ? document.slice(matter.from, matter.to) : "",
  };
}

function plainText(token: Token | undefined): string {
  return (token?.children ?? [])
    .map((one) => (one.type === "softbreak" ? " " : one.type === "text" || one.type === "code_inline" || one.type === "image" ? one.content : ""))
    .join("")
    .trim();
}

/** As links to headings are written elsewhere; nothing of the page itself begins so. */
export const ID_PREFIX = "md-";

function uniqueId(title: string, ids: Map<string, number>): string {
  const slug = slugOf(title);
  const n = ids.get(slug) ?? 0;
  ids.set(slug, n + 1);
  return `${ID_PREFIX}${slug}${n ? `-${n}` : ""}`;
}

export function slugOf(title: string): string {
  return title.toLowerCase().replace(/[^\p{L}\p{N}\p{M} _-]/gu, "").trim().replace(/ /g, "-");
}

// Addresses of images and links are looked at when they are no markup any more.
md.validateLink = () => true;

const MARKED = new Set(["paragraph_open", "heading_open", "table_open", "tr_open", "list_item_open", "blockquote_open", "fence", "code_block", "hr"]);

md.core.ruler.push("lines", (state: StateCore) => {
  const { before = 0, isNote = false } = state.env as { before?: number; isNote?: boolean };
  for (const token of state.tokens) {
    if (token.map && !isNote && MARKED.has(token.type)) token.attrSet("data-line", String(token.map[0] + before));
    // The page's policy allows no style on an element.
    const style = token.attrIndex("style");
    if (style >= 0) {
      const side = /text-align:(\w+)/.exec(String(token.attrGet("style")))?.[1] ?? "left";
      token.attrs?.splice(style, 1);
      token.attrJoin("class", `is-${side}`);
    }
  }
});

md.core.ruler.after("inline", "tasks", (state: StateCore) => {
  const { tokens } = state;
  for (let at = 2; at < tokens.length; at += 1) {
    if (tokens[at]!.type !== "inline" || tokens[at - 1]!.type !== "paragraph_open" || tokens[at - 2]!.type !== "list_item_open") continue;
    const first = tokens[at]!.children?.[0];
    const found = first?.type === "text" ? /^\[([ xX])\][ \t]+/.exec(first.content) : null;
    if (!first || !found) continue;
    first.content = first.content.slice(found[0].length);
    tokens[at - 2]!.attrSet("data-task", found[1] === " " ? "open" : "done");
  }
});

const notesOf = (env: Env | undefined): Notes | undefined => (env as { notes?: Notes } | undefined)?.notes;

md.block.ruler.before(
  "reference",
  "footnote",
  (state: StateBlock, startLine: number, endLine: number, silent: boolean) => {
    const lineOf = (line: number) => state.src.slice(state.bMarks[line]! + state.tShift[line]!, state.eMarks[line]);
    const notes = notesOf(state.env);
    if (!notes || state.sCount[startLine]! - state.blkIndent >= 4) return false;
    const found = /^\[\^([^\]\s]{1,100})\]:[ \t]*/.exec(lineOf(startLine));
    if (!found) return false;
    if (silent) return true;
    const lines = [lineOf(startLine).slice(found[0].length)];
    let next = startLine + 1;
    for (; next < endLine; next += 1) {
      const isBlank = state.isEmpty(next);
      // Words on the next line go on with the paragraph, as they do everywhere in Markdown.
      const goesOn = lines.at(-1) !== "" && /^\p{L}/u.test(lineOf(next));
      if (!isBlank && !goesOn && state.sCount[next]! - state.blkIndent < 2) break;
      lines.push(isBlank ? "" : state.getLines(next, next + 1, state.blkIndent + 4, false));
    }
    if (!notes.texts.has(found[1]!)) notes.texts.set(found[1]!, lines.join("\n"));
    state.line = next;
    return true;
  },
  { alt: ["paragraph", "reference"] },
);

md.inline.ruler.before("link", "footnote", (state: StateInline, silent: boolean) => {
  if (state.src.charCodeAt(state.pos) !== 0x5b) return false;
  const found = /^\[\^([^\]\s]{1,100})\]/.exec(state.src.slice(state.pos, state.pos + 104));
  const notes = notesOf(state.env);
  if (!found || !notes?.texts.has(found[1]!)) return false;
  if (!silent) {
    let number = notes.used.indexOf(found[1]!);
    const isFirst = number < 0;
    if (isFirst) number = notes.used.push(found[1]!) - 1;
    const token = state.push("footnote_ref", "", 0);
    token.meta = { number: number + 1, isFirst };
  }
  state.pos += found[0].length;
  return true;
});

/** At the end: the notes that are used, each with a way back. A note may use others, and they come after it. */
md.core.ruler.after("inline", "footnotes", (state: StateCore) => {
  const notes = notesOf(state.env);
  if (!notes?.used.length || (state.env as { isNote?: boolean }).isNote) return;
  const add = (type: string, meta: Record<string, unknown> | null = null) => {
    const token = new state.Token(type, "", 0);
    token.meta = meta;
    state.tokens.push(token);
  };
  add("notes_open");
  for (let at = 0; at < notes.used.length; at += 1) {
    add("note_open", { number: at + 1 });
    const inner = md.parse(notes.texts.get(notes.used[at]!) ?? "", { notes, isNote: true });
    for (const token of inner) {
      token.map = null;
      state.tokens.push(token);
    }
    add("note_close", { number: at + 1 });
  }
  add("notes_close");
});

const numberOf = (token: Token) => Number((token.meta as { number: number } | null)?.number ?? 0);

function make(tag: string, attributes: Iterable<readonly [string, string]>, ...inside: (Made | string)[]): Made & { readonly inside: (Made | string)[] } {
  return { tag, attributes: new Map(attributes), inside };
}

const DEEPEST = 100;

/** Returns the elements of tokens; each of them is of a kind that is known here. */
function elementsOf(tokens: readonly Token[]): (Made | string)[] {
  const open = [make("", [])];
  const begin = (made: ReturnType<typeof make>) => {
    const around = open.at(-1)!;
    // What is deeper in others than anybody writes has no element of its own.
    if (open.length > DEEPEST) {
      open.push(around);
      return;
    }
    around.inside.push(made);
    open.push(made);
  };
  for (const token of tokens) {
    const { inside } = open.at(-1)!;
    const attributes = (token.attrs ?? []).map(([name, value]) => [name, String(value)] as const);
    switch (token.type) {
      case "inline":
        for (const one of elementsOf(token.children ?? [])) inside.push(one);
        break;
      case "text":
        if (token.content) inside.push(token.content);
        break;
      case "softbreak":
        inside.push("\n");
        break;
      case "hardbreak":
        inside.push(make("br", []), "\n");
        break;
      case "code_inline":
        inside.push(make("code", [], token.content));
        break;
      case "code_block":
      case "fence": {
        const language = /^\S+/.exec(token.info)?.[0];
        inside.push(make("pre", attributes, make("code", language ? [["class", `language-${language}`]] : [], token.content)));
        break;
      }
      case "image":
        inside.push(make("img", [...attributes, ["alt", token.content]]));
        break;
      case "footnote_ref": {
        const { number, isFirst } = token.meta as { number: number; isFirst: boolean };
        const id = isFirst ? ([["id", `${ID_PREFIX}mark-${number}`]] as const) : [];
        inside.push(make("sup", [["class", "note-mark"]], make("a", [["href", `#note-${number}`], ...id], String(number))));
        break;
      }
      case "notes_open":
        begin(make("section", [["class", "notes"], ["aria-label", text.footnotes]], make("hr", [])));
        begin(make("ol", []));
        break;
      case "note_open":
        begin(make("li", [["id", `${ID_PREFIX}note-${numberOf(token)}`]]));
        break;
      case "note_close":
        inside.push(make("a", [["class", "note-back"], ["href", `#mark-${numberOf(token)}`], ["title", text.backToText]], "↩"));
        open.pop();
        break;
      case "notes_close":
        open.length -= 2;
        break;
      default:
        if (token.hidden) {
          // A paragraph of a tight list has no element; what follows it is another line.
          if (token.nesting < 0) inside.push("\n");
        } else if (token.nesting > 0) begin(make(token.tag, attributes));
        else if (token.nesting < 0) open.pop();
        else inside.push(make(token.tag, attributes));
    }
  }
  return open[0]!.inside;
}
