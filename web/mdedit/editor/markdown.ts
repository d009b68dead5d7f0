/** Markdown as the editor knows it: its grammar, what folds, and what keys write. */
import { defineLanguageFacet, foldEffect, foldService, Language, syntaxTree, unfoldEffect, foldedRanges } from "@codemirror/language";
import { type ChangeSpec, EditorSelection, type EditorState, type Extension, type StateCommand } from "@codemirror/state";
import type { EditorView } from "@codemirror/view";
import { GFM, parser } from "@lezer/markdown";
import { findFrontMatter } from "../model/frontMatter";
import { text } from "../text";

const data = defineLanguageFacet({ commentTokens: {} });
const language = new Language(data, parser.configure(GFM), [], "markdown");

/** A heading folds up to the next one of its level or above; the front matter folds below its first line. */
const folds = foldService.of((state, from, to) => {
  if (from === 0 && /^---[ \t]*$/.test(state.doc.lineAt(0).text)) {
    const matter = matterOf(state);
    if (matter) return { from: to, to: state.doc.line(matter.lines).to };
  }
  const level = levelAt(state, from);
  if (!level) return null;
  const { doc } = state;
  const first = doc.lineAt(from).number;
  for (let line = first + 1; line <= doc.lines; line += 1) {
    const found = levelAt(state, doc.line(line).from);
    if (found && found <= level) return line - 1 > first ? { from: to, to: doc.line(line - 1).to } : null;
  }
  return doc.lines > first ? { from: to, to: doc.length } : null;
});

function levelAt(state: EditorState, from: number): number {
  const { text: line } = state.doc.lineAt(from);
  const level = /^(#{1,6})(?:[ \t]|$)/.exec(line)?.[1]?.length ?? 0;
  if (!level) return 0;
  const node = syntaxTree(state).resolveInner(from, 1);
  return /^(?:FencedCode|CodeText|CodeBlock|CommentBlock)$/.test(node.name) ? 0 : level;
}

/** As much of a text as front matter may take. */
const MATTER_MOST = 20_000;

export function matterOf(state: EditorState): ReturnType<typeof findFrontMatter> {
  return findFrontMatter(state.doc.sliceString(0, MATTER_MOST));
}

/** Folds the front matter, or unfolds it; returns whether there is one. */
export function toggleMatterFold(view: EditorView): boolean {
  const matter = matterOf(view.state);
  if (!matter) return false;
  const range = { from: view.state.doc.line(1).to, to: view.state.doc.line(matter.lines).to };
  view.dispatch({ effects: (isMatterFolded(view.state) ? unfoldEffect : foldEffect).of(range) });
  return true;
}

export function isMatterFolded(state: EditorState): boolean {
  const end = state.doc.line(1).to;
  let isFolded = false;
  foldedRanges(state).between(end, end, () => void (isFolded = true));
  return isFolded;
}

/** Puts marks around what is selected, or takes them away; without a selection around the word. */
export function toggleMarks(mark: string): StateCommand {
  return ({ state, dispatch }) => {
    if (state.readOnly) return false;
    const spec = state.changeByRange((given) => {
      const range = given.empty ? (state.wordAt(given.head) ?? given) : given;
      const { from, to } = range;
      const n = mark.length;
      const outside = state.sliceDoc(from - n, from) === mark && state.sliceDoc(to, to + n) === mark;
      const inside = to - from >= 2 * n && state.sliceDoc(from, from + n) === mark && state.sliceDoc(to - n, to) === mark;
      // One star inside of two is no mark of its own.
      const isLonger = mark === "*" && outside && state.sliceDoc(from - 2, from) === "**" && state.sliceDoc(from - 3, from) !== "***";
      if (outside && !isLonger) {
        const changes: ChangeSpec[] = [{ from: from - n, to: from }, { from: to, to: to + n }];
        return { changes, range: given.empty ? EditorSelection.cursor(given.head - n) : EditorSelection.range(from - n, to - n) };
      }
      if (inside) {
        const changes: ChangeSpec[] = [{ from, to: from + n }, { from: to - n, to }];
        return { changes, range: EditorSelection.range(from, to - 2 * n) };
      }
      const changes: ChangeSpec[] = [{ from, insert: mark }, { from: to, insert: mark }];
      return { changes, range: given.empty ? EditorSelection.cursor(given.head + n) : EditorSelection.range(from + n, to + n) };
    });
    dispatch(state.update(spec, { userEvent: "input", scrollIntoView: true }));
    return true;
  };
}

/** Makes a link of what is selected, with the place for its address selected. */
export const insertLink: StateCommand = ({ state, dispatch }) => {
  if (state.readOnly) return false;
  const spec = state.changeByRange(({ from, to }) => {
    const label = state.sliceDoc(from, to) || text.inserted.link;
    const isAddress = /^(?:https?:\/\/|mailto:)\S+$/.test(label);
    const [shown, address] = isAddress ? [text.inserted.link, label] : [label, text.inserted.address];
    const insert = `[${shown}](${address})`;
    const at = isAddress ? from + 1 : from + shown.length + 3;
    return { changes: { from, to, insert }, range: EditorSelection.range(at, at + (isAddress ? shown : address).length) };
  });
  dispatch(state.update(spec, { userEvent: "input", scrollIntoView: true }));
  return true;
};

/** Begins each selected line with something, or takes it away where every one of them begins so. */
export function toggleLineStart(start: string, pattern: RegExp): StateCommand {
  return ({ state, dispatch }) => {
    if (state.readOnly) return false;
    const lines = new Set<number>();
    for (const { from, to } of state.selection.ranges) {
      for (let at = state.doc.lineAt(from).number; at <= state.doc.lineAt(to).number; at += 1) lines.add(at);
    }
    const all = [...lines].map((line) => state.doc.line(line));
    const isOn = all.every((line) => pattern.test(line.text));
    const changes = all.map((line) => {
      const found = pattern.exec(line.text);
      return isOn ? { from: line.from, to: line.from + (found?.[0].length ?? 0) } : { from: line.from, insert: found ? "" : start };
    });
    dispatch(state.update({ changes, userEvent: "input", scrollIntoView: true }));
    return true;
  };
}

const ITEM = /^([ \t]*)(?:([-*+])|(\d{1,9})([.)]))([ \t]+)(\[[ xX]\][ \t]+)?/;

/** Enter in a list begins the next item; in an empty item it ends the list. */
export const continueList: StateCommand = ({ state, dispatch }) => {
  const { main } = state.selection;
  if (state.readOnly || !main.empty || state.selection.ranges.length > 1) return false;
  const line = state.doc.lineAt(main.head);
  const found = ITEM.exec(line.text);
  if (!found || main.head < line.from + found[0].length) return false;
  if (/Code|FencedCode/.test(syntaxTree(state).resolveInner(main.head, -1).name)) return false;
  if (line.text.length === found[0].length) {
    dispatch(state.update({ changes: { from: line.from, to: line.to }, userEvent: "input" }));
    return true;
  }
  const [, indent = "", bullet, number, stop = "", blank = " ", task] = found;
  const insert = `\n${indent}${bullet ?? `${Number(number) + 1}${stop}`}${blank}${task ? "[ ] " : ""}`;
  dispatch(state.update({ changes: { from: main.head, insert }, selection: { anchor: main.head + insert.length }, userEvent: "input", scrollIntoView: true }));
  return true;
};

export const markdown: Extension = [language.extension, folds];
