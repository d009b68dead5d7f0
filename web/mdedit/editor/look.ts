/** How the text looks: colours of the page's own style, which reach into the editor as custom properties. */
import { HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import { type Extension, type Range, StateField } from "@codemirror/state";
import { Decoration, type DecorationSet, EditorView, highlightSpecialChars } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { findFrontMatter } from "../model/frontMatter";

const theme = EditorView.theme({
  "&": { height: "100%", fontSize: "0.875rem", backgroundColor: "var(--surface)", color: "var(--text)" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.6", overflow: "auto" },
  ".cm-content": { padding: "0.75rem 0", caretColor: "var(--text)", maxWidth: "100%" },
  ".cm-line": { padding: "0 1rem" },
  ".cm-cursor, .cm-dropCursor": { borderLeftColor: "var(--text)", borderLeftWidth: "2px" },
  "&.cm-focused .cm-selectionBackground, .cm-selectionBackground, .cm-content ::selection": {
    backgroundColor: "light-dark(#cfe2f8, #2b4c76) !important",
  },
  ".cm-activeLine": { backgroundColor: "color-mix(in srgb, var(--accent) 6%, transparent)" },
  ".cm-gutters": { backgroundColor: "var(--bg)", color: "var(--muted)", borderRight: "1px solid var(--line)" },
  ".cm-activeLineGutter": { backgroundColor: "var(--hover)", color: "var(--text)" },
  ".cm-foldPlaceholder": {
    backgroundColor: "var(--accent-soft)", border: "0", color: "var(--accent)", padding: "0 0.5rem", borderRadius: "4px", cursor: "pointer",
  },
  ".cm-front-matter": { backgroundColor: "color-mix(in srgb, var(--warn) 7%, transparent)" },
  ".cm-front-matter span": { color: "var(--text) !important", fontWeight: "400 !important", fontSize: "1em !important", textDecoration: "none !important", fontStyle: "normal !important" },
  ".cm-specialChar": { color: "var(--bad)", fontSize: "0.85em" },
  ".cm-searchMatch": { backgroundColor: "var(--warn-soft)", outline: "1px solid var(--warn)" },
  ".cm-searchMatch-selected": { backgroundColor: "light-dark(#ffd873, #75560d)" },
  ".cm-selectionMatch": { backgroundColor: "var(--accent-soft)" },
  ".cm-panels": { backgroundColor: "var(--bg)", color: "var(--text)" },
  ".cm-panels.cm-panels-top": { borderBottom: "1px solid var(--line)" },
  ".cm-panel.cm-search": { padding: "0.4rem 2rem 0.4rem 0.6rem", fontFamily: "system-ui, sans-serif" },
  ".cm-panel.cm-search label": { fontSize: "0.8rem" },
  ".cm-textfield": { border: "1px solid var(--line-strong)", borderRadius: "4px", backgroundColor: "var(--surface)", color: "var(--text)", fontSize: "0.85rem", padding: "0.15rem 0.4rem" },
  ".cm-button": { border: "1px solid var(--line-strong)", borderRadius: "4px", backgroundImage: "none", backgroundColor: "var(--surface)", color: "var(--text)", fontSize: "0.8rem" },
  ".cm-panel.cm-search [name=close]": { color: "var(--text)", fontSize: "1.2rem", right: "0.5rem" },
  ".cm-panel :focus-visible": { outline: "2px solid var(--accent)", outlineOffset: "1px" },
});

const colours = HighlightStyle.define([
  { tag: tags.heading1, fontWeight: "700", fontSize: "1.25em", color: "var(--text)" },
  { tag: tags.heading2, fontWeight: "700", fontSize: "1.12em", color: "var(--text)" },
  { tag: tags.heading, fontWeight: "700", color: "var(--text)" },
  { tag: tags.strong, fontWeight: "700" },
  { tag: tags.emphasis, fontStyle: "italic" },
  { tag: tags.strikethrough, textDecoration: "line-through" },
  { tag: tags.link, color: "var(--accent)" },
  { tag: tags.url, color: "var(--accent)" },
  { tag: tags.monospace, color: "var(--good)" },
  { tag: tags.quote, color: "var(--muted)" },
  { tag: [tags.processingInstruction, tags.contentSeparator, tags.labelName], color: "var(--muted)" },
  { tag: tags.escape, color: "var(--warn)" },
  { tag: tags.comment, color: "var(--muted)" },
]);

const matterLine = Decoration.line({ class: "cm-front-matter" });

/** What is between the lines of the front matter is no Markdown, and does not look like it. */
const frontMatterLook = StateField.define<DecorationSet>({
  create: (state) => decorate(state.doc.toString(), (line) => state.doc.line(line).from),
  update(found, transaction) {
    if (!transaction.docChanged) return found;
    // Only a change at the start can make or end it.
    const before = found.size ? findEnd(found) : 3;
    if (!transaction.changes.touchesRange(0, before + 4)) return found.map(transaction.changes);
    const { doc } = transaction.state;
    return decorate(doc.toString(), (line) => doc.line(line).from);
  },
  provide: (field) => EditorView.decorations.from(field),
});

function findEnd(found: DecorationSet): number {
  let end = 0;
  for (const cursor = found.iter(); cursor.value; cursor.next()) end = cursor.from;
  return end;
}

function decorate(text: string, lineStart: (line: number) => number): DecorationSet {
  const lines = findFrontMatter(text)?.lines ?? 0;
  const found: Range<Decoration>[] = [];
  for (let line = 1; line <= lines; line += 1) found.push(matterLine.range(lineStart(line)));
  return Decoration.set(found);
}

/** Characters that cannot be seen, or that turn the direction of writing, are shown by their code points. */
const marks = highlightSpecialChars({
  addSpecialChars: /[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g,
  render(code, description) {
    const mark = document.createElement("span");
    mark.className = "cm-specialChar";
    mark.textContent = `⟦U+${code.toString(16).toUpperCase().padStart(4, "0")}⟧`;
    mark.title = description ?? "";
    return mark;
  },
});

export const look: Extension = [theme, syntaxHighlighting(colours), frontMatterLook, marks];
