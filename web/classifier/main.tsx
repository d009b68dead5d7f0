/** The classifier page: gives many badly named files good names. */
import { computed, effect } from "@preact/signals";
import type { JSX } from "preact";
import "../shared/folder.css";
import "./style.css";
import { leftOpen, mountFolderShell, rightOpen } from "../shared/folderShell";
import { afterDrawing } from "../shared/regions";
import { type Action, setFragment } from "../shared/shell";
import * as editing from "./editing";
import { drop, openPlace, pick } from "./loading";
import { COLUMNS } from "./model/columns";
import { askForJournal, askToApply, askToUndo, canRename, savePlan } from "./renaming";
import { Left } from "./screens/left";
import { Middle, sheetView } from "./screens/middle";
import { Right } from "./screens/right";
import { folder, hidesGood, kind, model, place, range, runs, sortBy, sorting, updateView, version, words, work } from "./state";
import { columnNames, text } from "./text";

function Search(): JSX.Element | null {
  if (!model.value) return null;
  return (
    <input
      type="search"
      data-search
      aria-label={text.search}
      placeholder={text.searchHint}
      value={words.value}
      spellcheck={false}
      onInput={(event) => setFragment({ q: event.currentTarget.value || null })}
      onKeyDown={(event) => {
        if (event.key !== "ArrowDown" && event.key !== "Enter") return;
        event.preventDefault();
        sheetView?.focus();
      }}
    />
  );
}

const isIdle = computed(() => model.value !== null && work.value === null);
const count = (of: "ready" | "correctable") => computed(() => (void version.value, isIdle.value && (model.value?.checks.count(of) ?? 0) > 0));

/** Open a rule on the left, with the focus in its first field. */
function openRule(id: string): void {
  leftOpen.value = true;
  afterDrawing(() => {
    const field = document.getElementById(id);
    field?.closest("details")?.setAttribute("open", "");
    field?.focus();
  });
}

const actions: readonly Action[] = [
  { id: "open", label: text.actions.open, keys: "Ctrl O", run: pick, inBar: "plain" },
  { id: "apply", label: text.actions.apply, keys: "Ctrl S", run: askToApply, enabled: count("ready") },
  { id: "plan", label: text.actions.plan, run: savePlan, enabled: count("ready") },
  { id: "undo", label: text.actions.undo, keys: "Ctrl Z", run: editing.undo, enabled: isIdle },
  { id: "redo", label: text.actions.redo, keys: "Ctrl Shift Z", run: editing.redo, enabled: isIdle },
  { id: "corrections", label: text.actions.corrections, run: editing.takeCorrections, enabled: count("correctable") },
  { id: "find", label: text.actions.find, keys: "Ctrl H", run: () => openRule("find-text"), enabled: isIdle },
  { id: "split", label: text.actions.split, keys: "Ctrl Shift E", run: () => openRule("split-pattern"), enabled: isIdle },
  { id: "fill-down", label: text.actions.fillDown, keys: "Ctrl D", run: () => editing.fillRangeDown(range.peek()), enabled: isIdle },
  { id: "fill-right", label: text.actions.fillRight, keys: "Ctrl R", run: () => editing.fillRangeRight(range.peek()), enabled: isIdle },
  { id: "series", label: text.actions.series, keys: "Ctrl Shift D", run: () => editing.fillRangeSeries(range.peek(), 0), enabled: isIdle },
  { id: "titles", label: text.actions.titleOf, run: editing.titlesFromNames, enabled: isIdle },
  { id: "select-all", label: text.actions.selectAll, run: () => sheetView?.selectAll(), enabled: isIdle },
  { id: "hide", label: text.actions.hide, run: () => setFragment({ hide: hidesGood.peek() ? null : "good" }), enabled: isIdle },
  { id: "refresh", label: text.refresh, run: updateView, enabled: isIdle },
  { id: "undo-all", label: text.actions.undoAll, run: askToUndo, enabled: computed(() => isIdle.value && runs.value.length > 0) },
  { id: "journals", label: text.actions.journals, run: askForJournal, enabled: computed(() => isIdle.value && canRename()) },
  { id: "reread", label: text.actions.reread, run: () => openPlace(place.peek()!), enabled: isIdle },
  { id: "preview", label: text.actions.preview, keys: "Ctrl I", run: () => void (rightOpen.value = !rightOpen.value), enabled: isIdle },
  ...COLUMNS.map((column) => ({
    id: `sort-${column}`,
    label: text.sort(columnNames[column]),
    run: () => sortBy(column, false),
    enabled: isIdle,
  })),
];

// What is typed is kept where it belongs before other rows come in its place.
effect(() => {
  void [folder.value, kind.value, words.value, hidesGood.value, sorting.value];
  sheetView?.finishEdit();
  updateView();
});

addEventListener("drop", (event) => {
  event.preventDefault();
  void drop(event);
});

addEventListener("beforeunload", (event) => {
  if (model.peek()?.sheet.typedRows().length || work.peek()) event.preventDefault();
});

mountFolderShell({
  id: "classifier",
  title: text.title,
  actions,
  place,
  search: Search,
  left: Left,
  middle: Middle,
  right: Right,
  labels: { left: text.rules, middle: text.sheet, right: text.preview },
  keys: text.keyNotes.map(([keys, does]) => ({ keys, does })),
});
