/** Puts an editor's state together: what it knows of the document, its keys, its look. */
import { defaultKeymap, history, historyKeymap, indentLess, indentMore, redo } from "@codemirror/commands";
import { codeFolding, foldGutter, foldKeymap, indentUnit } from "@codemirror/language";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { Compartment, EditorState, type Extension, type StateEffect } from "@codemirror/state";
import {
  crosshairCursor,
  drawSelection,
  dropCursor,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  keymap,
  lineNumbers,
  rectangularSelection,
} from "@codemirror/view";
import { visible } from "../../shared/visible";
import type { Decoded } from "../model/bytes";
import { nameOf } from "../state";
import { text } from "../text";
import { keepLineEnds } from "./lineEnds";
import { look } from "./look";
import { continueList, insertLink, markdown, toggleLineStart, toggleMarks } from "./markdown";
import { takesPastes } from "./pasting";
import { pathOf } from "./path";

/** Called after each change of what the editor shows. */
export const listening: { onChange(view: EditorView, isText: boolean): void } = { onChange: () => undefined };

// Ctrl Enter shows the preview; Ctrl Shift K makes a link, since Ctrl K is all actions on every page.
const TAKEN = new Set(["Mod-Enter", "Shift-Mod-k", "Mod-i", "Alt-l"]);
const keys = [
  { key: "Enter", run: continueList },
  { key: "Mod-b", run: toggleMarks("**"), preventDefault: true },
  { key: "Mod-i", run: toggleMarks("*"), preventDefault: true },
  { key: "Mod-Shift-k", run: insertLink, preventDefault: true },
  { key: "Mod-e", run: toggleMarks("`"), preventDefault: true },
  { key: "Mod-Shift-x", run: toggleLineStart("- [ ] ", /^[ \t]*[-*+] \[[ xX]\] /), preventDefault: true },
  { key: "Mod-]", run: indentMore },
  { key: "Mod-[", run: indentLess },
  { key: "Mod-Shift-z", run: redo, preventDefault: true },
];

const shared: Extension = [
  lineNumbers(),
  foldGutter(),
  codeFolding(),
  highlightActiveLine(),
  highlightActiveLineGutter(),
  history({ minDepth: 10_000 }),
  drawSelection(),
  dropCursor(),
  rectangularSelection(),
  crosshairCursor(),
  highlightSelectionMatches(),
  search({ top: true }),
  indentUnit.of("  "),
  EditorState.allowMultipleSelections.of(true),
  EditorState.phrases.of(text.find),
  EditorView.lineWrapping,
  keymap.of([...keys, ...searchKeymap, ...historyKeymap, ...foldKeymap, ...defaultKeymap.filter(({ key }) => !key || !TAKEN.has(key))]),
  markdown,
  look,
  takesPastes,
  EditorView.updateListener.of((update) => {
    if (update.docChanged || update.selectionSet || update.transactions.some((one) => one.effects.length)) {
      listening.onChange(update.view, update.docChanged);
    }
  }),
];

/** Returns the state of a document that was read. */
export function makeState(path: string, read: Decoded): EditorState {
  return EditorState.create({
    doc: read.text,
    extensions: [
      shared,
      named.of(nameExtensions(path)),
      keepLineEnds(read.odd),
      EditorState.readOnly.of(!read.isEditable),
      EditorView.contentAttributes.of({
        spellcheck: "true",
        autocapitalize: "sentences",
        ...(read.isEditable ? {} : { "aria-readonly": "true" }),
      }),
    ],
  });
}

const named = new Compartment();

function nameExtensions(path: string): Extension {
  return [pathOf.of(path), EditorView.contentAttributes.of({ "aria-label": text.editor(visible(nameOf(path))) })];
}

/** Returns the effect that gives an open document another path; its text and its undo stay. */
export function nameEffect(path: string): StateEffect<unknown> {
  return named.reconfigure(nameExtensions(path));
}
