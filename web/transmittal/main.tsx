/** The transmittal page: makes, signs, publishes, checks and acknowledges transmittals. */
import { computed, effect } from "@preact/signals";
import type { JSX } from "preact";
import "../shared/folder.css";
import "./style.css";
import { mountFolderShell } from "../shared/folderShell";
import { fragment, setFragment, status, type Action } from "../shared/shell";
import { stateOf } from "../shared/transmittal/data";
import { canCheck } from "../shared/transmittal/signatures";
import { askToAcknowledge } from "./acknowledging";
import { askForKey, askForNewKey, forgetKey, saveKnownKeys } from "./keys";
import { checkAgain, followDrops, openFiles, openServed, pickFiles } from "./loading";
import { askToSaveOwn, openOwn } from "./owning";
import { askToPaste, copyData, copyTable } from "./pasting";
import { askToPublish, askToSaveDraft, askToSign, namesOf } from "./publishing";
import { revise } from "./revising";
import { Check, openFolderToCheck } from "./screens/check";
import { Compare } from "./screens/compare";
import { Edit } from "./screens/edit";
import { addFolder, addPicked, correctNames, removeSelected } from "./screens/fileTable";
import { beginEmpty, Start } from "./screens/start";
import { Top } from "./screens/top";
import { View } from "./screens/view";
import { canRedo, canUndo, draft, goTo, inHand, isUnsaved, knownKeys, loaded, place, problems, redo, screen, SCREENS, selected, signingKey, undo, work } from "./state";
import { visible } from "../shared/visible";
import { text } from "./text";
import { downloadLoaded } from "./writing";

const SHOWN: Record<(typeof SCREENS)[number], () => JSX.Element> = { start: Start, edit: Edit, view: View, check: Check, compare: Compare };

function Middle(): JSX.Element {
  const Screen = SHOWN[screen.value];
  return (
    <div class="transmittal">
      <Top />
      <Screen />
    </div>
  );
}

const isEditing = computed(() => screen.value === "edit");
const isPublished = computed(() => loaded.value !== null && stateOf(loaded.value.page.transmittal) !== "draft");
const isIntact = computed(() => loaded.value?.judged.check.intact === true);
const hasRows = computed(() => isEditing.value && draft.value.rows.length > 0);
const hasName = computed(() => isEditing.value && namesOf(draft.value, false).page !== "");
const hasCrypto = computed(canCheck);
const hasList = computed(() => draft.value.rows.length > 0 || inHand.value !== null);

/** Opens files; on the screen for checking, a folder. */
async function open(): Promise<void> {
  if (screen.peek() === "check") await openFolderToCheck();
  else if (screen.peek() === "edit") await addFolder();
  else await openFiles(await pickFiles());
}

const actions: readonly Action[] = [
  { id: "open", label: text.actions.open, keys: "Ctrl O", run: open, inBar: "plain" },
  { id: "new", label: text.actions.newDraft, run: beginEmpty },
  { id: "add-folder", label: text.actions.addFolder, run: addFolder, enabled: isEditing },
  { id: "add-files", label: text.actions.addFiles, run: addPicked, enabled: isEditing },
  { id: "paste", label: text.actions.paste, keys: "Ctrl Shift V", run: askToPaste, enabled: isEditing },
  { id: "copy-table", label: text.actions.copyTable, run: copyTable, enabled: hasList },
  { id: "copy-data", label: text.actions.copyData, run: copyData, enabled: hasList },
  { id: "corrections", label: text.actions.corrections, run: correctNames, enabled: hasRows },
  { id: "remove", label: text.actions.remove, keys: "Delete", run: removeSelected, enabled: computed(() => isEditing.value && selected.value.size > 0) },
  { id: "undo", label: text.actions.undo, keys: "Ctrl Z", run: undo, enabled: computed(() => isEditing.value && canUndo.value) },
  { id: "redo", label: text.actions.redo, keys: "Ctrl Shift Z", run: redo, enabled: computed(() => isEditing.value && canRedo.value) },
  { id: "save-draft", label: text.actions.saveDraft, keys: "Ctrl S", run: askToSaveDraft, enabled: hasName },
  { id: "publish", label: text.actions.publish, keys: "Ctrl Enter", run: askToPublish, enabled: computed(() => hasName.value && problems.value.count === 0) },
  { id: "check-again", label: text.actions.checkAgain, run: checkAgain, enabled: computed(() => loaded.value?.place != null) },
  { id: "sign", label: text.actions.sign, run: askToSign, enabled: computed(() => isIntact.value && signingKey.value !== null) },
  { id: "acknowledge", label: text.actions.acknowledge, run: askToAcknowledge, enabled: computed(() => isPublished.value && loaded.value?.report != null && canCheck()) },
  { id: "revise", label: text.actions.revise, run: revise, enabled: isPublished },
  { id: "download", label: text.actions.saveAgain, run: downloadLoaded, enabled: isPublished },
  { id: "open-key", label: text.actions.openKey, run: () => askForKey(), enabled: hasCrypto },
  { id: "new-key", label: text.actions.newKey, run: askForNewKey, enabled: hasCrypto },
  { id: "forget-key", label: text.actions.forgetKey, run: forgetKey, enabled: computed(() => signingKey.value !== null) },
  { id: "open-known", label: text.actions.openKnown, run: async () => openFiles(await pickFiles({ accept: ".json" })) },
  { id: "open-index", label: text.actions.openIndex, run: async () => openFiles(await pickFiles({ accept: ".json" })) },
  { id: "save-known", label: text.actions.saveKnown, run: saveKnownKeys, enabled: computed(() => knownKeys.value.length > 0) },
  { id: "save-own", label: text.actions.saveOwn, run: askToSaveOwn },
  { id: "stop", label: text.actions.stop, run: () => work.peek()?.stop(), enabled: computed(() => work.value !== null) },
  ...SCREENS.map((id) => ({ id: `show-${id}`, label: text.actions.goTo(text.screens[id]), run: () => goTo(id) })),
];

effect(() => {
  if (screen.value !== "edit") status.value = loaded.value ? text.loaded(visible(loaded.value.page.name)) : "";
  else status.value = problems.value.count ? text.checks.some(problems.value.count) : text.checks.none;
});

addEventListener("beforeunload", (event) => {
  if (isUnsaved.peek() || work.peek()) event.preventDefault();
});

openOwn();
mountFolderShell({ id: "transmittal", title: text.title, actions, place, middle: Middle });
followDrops();
const asked = fragment.peek().get("open");
if (asked) {
  setFragment({ open: null });
  void openServed(asked);
}
