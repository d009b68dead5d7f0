/** The archive page: finds the right revision, and says what is missing, doubled or late. */
import { computed, effect } from "@preact/signals";
import type { JSX } from "preact";
import "../shared/folder.css";
import "./style.css";
import { mountFolderShell, rightOpen } from "../shared/folderShell";
import { afterDrawing } from "../shared/regions";
import { formatNumber, setFragment, status, type Action } from "../shared/shell";
import { tableKeys } from "../shared/text/table";
import { visible } from "../shared/visible";
import { exportCsv, exportHashReport, exportJson, exportReport, exportSums, exportZip } from "./exporting";
import { readDetails, reload, saveIndex, stop } from "./loading";
import { followDrops, openByFile, openPicked, openServed } from "./opening";
import type { Archive } from "./model/types";
import { Detail } from "./screens/document";
import { Empty } from "./screens/empty";
import { Left } from "./screens/left";
import { SHOWN } from "./screens/registry";
import { focusTable, Search } from "./screens/search";
import { Top } from "./screens/top";
import { fileGroups, registerGroups } from "./shown";
import { archive, chosen, goTo, openedDocument, openedFile, place, running, screen, SCREENS } from "./state";
import { text } from "./text";

function Middle(): JSX.Element {
  const isHandIn = screen.value === "hand-in" && SHOWN["hand-in"] !== undefined; // it needs nothing that is open
  if (!archive.value && !isHandIn) {
    return (
      <>
        <Top />
        {place.value ? <h1 class="visually-hidden">{visible(place.value.name)}</h1> : <Empty />}
      </>
    );
  }
  const Screen = SHOWN[screen.value] ?? SHOWN.register!;
  return (
    <div class="archive">
      <Top />
      <Screen />
    </div>
  );
}

const hasFiles = computed(() => (archive.value?.files.length ?? 0) > 0);
const isLocal = computed(() => place.value?.kind === "local" && hasFiles.value);

const actions: readonly Action[] = [
  { id: "open", label: text.actions.open, keys: "Ctrl O", run: openPicked, inBar: "plain" },
  { id: "open-file", label: text.actions.openFile, run: openByFile },
  { id: "reload", label: text.actions.reload, run: reload, enabled: computed(() => place.value !== null) },
  { id: "save-index", label: text.actions.saveIndex, run: saveIndex, enabled: hasFiles },
  { id: "details", label: text.actions.details, run: async () => void (await readDetails()), enabled: isLocal },
  { id: "csv", label: text.actions.csv, keys: "Ctrl S", run: exportCsv, enabled: hasFiles, inBar: "plain" },
  { id: "json", label: text.actions.json, run: exportJson, enabled: hasFiles },
  { id: "report", label: text.actions.html, run: exportReport, enabled: hasFiles },
  { id: "zip", label: text.actions.zip, keys: "Ctrl Shift S", run: exportZip, enabled: hasFiles },
  { id: "sums", label: text.actions.sums, run: exportSums, enabled: hasFiles },
  { id: "hashes", label: text.actions.hashes, run: exportHashReport, enabled: hasFiles },
  { id: "choose-none", label: text.actions.chooseNone, run: () => void (chosen.value = new Set()), enabled: computed(() => chosen.value.size > 0) },
  { id: "stop", label: text.actions.stop, run: () => (running.peek() ?? { stop }).stop(), enabled: computed(() => running.value !== null) },
  ...SCREENS.filter((id) => SHOWN[id]).map((id) => ({
    id: `show-${id}`,
    label: text.actions.goTo(text.screens[id]),
    run: () => goTo(id),
    ...(id === "hand-in" ? {} : { enabled: hasFiles }),
  })),
];

// Read out when it changes: what the filter and the choices let through.
effect(() => {
  const known = archive.value;
  if (known && (screen.value === "register" || screen.value === "files")) status.value = countShown(known);
});

function countShown(known: Archive): string {
  const isRegister = screen.value === "register";
  const groups = isRegister ? registerGroups.value : fileGroups.value;
  const shown = groups.reduce((sum, group) => sum + group.rows.length, 0);
  const all = isRegister ? known.documents.length : known.files.length;
  const count = isRegister ? text.counts.documents : text.counts.files;
  const label = shown === all ? count(all, formatNumber(all)) : text.counts.of(formatNumber(shown), count(all, formatNumber(all)));
  const selected = chosen.value.size;
  return selected ? `${label} · ${text.counts.chosen(selected, formatNumber(selected))}` : label;
}

// A link to a document opens it; and what is closed is no part of the link any more.
rightOpen.value = openedDocument.peek() !== "" || openedFile.peek() !== "";
openedDocument.subscribe((number) => {
  if (number || openedFile.peek()) rightOpen.value = true;
});
rightOpen.subscribe((isOpen) => {
  if (!isOpen && (openedDocument.peek() || openedFile.peek())) {
    setFragment({ doc: null, file: null });
    afterDrawing(focusTable);
  }
});

mountFolderShell({
  id: "archive",
  title: text.title,
  actions,
  place,
  search: Search,
  left: Left,
  middle: Middle,
  right: Detail,
  tableKeys,
});
followDrops();
void openServed();
