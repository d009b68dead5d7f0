/** Whether loose files are the official ones: found by their bytes, else by their names. */
import { computed } from "@preact/signals";
import type { JSX } from "preact";
import { useRef } from "preact/hooks";
import { fromDrop } from "../../shared/files";
import { fromInput } from "../../shared/files/input";
import { addProblem } from "../../shared/shell";
import { checkPlace, loose } from "../checking";
import { canRead, hashes } from "../hashes";
import { checkFile, knownFiles, type CheckRow, type CheckState } from "../model/check";
import type { Group } from "../model/types";
import { archive, openFile } from "../state";
import { text } from "../text";
import { screensText } from "../textScreens";
import { unsorted } from "./findings";
import { Grid } from "./grid";

const words = screensText.check;
const STATES: readonly CheckState[] = [
  "other bytes", "unknown", "superseded", "named superseded", "not there", "newer", "named current", "known", "current",
];
const columns = [
  { id: "name", label: words.columns.name, width: 16, grow: true },
  { id: "verdict", label: words.columns.verdict, width: 18 },
  { id: "match", label: words.columns.match, width: 18 },
];

const rows = computed<readonly CheckRow[]>(() => {
  const known = archive.value;
  if (!known || !loose.value.length) return [];
  const sums = hashes.value;
  const all = knownFiles(known, (file) => sums.get(file.path));
  return loose.value.map((file) => checkFile(all, file));
});
const groups = computed<readonly Group<CheckRow>[]>(() =>
  STATES.flatMap((state) => {
    const own = rows.value.filter((row) => row.state === state);
    return own.length ? [{ heading: words.states[state], rows: own }] : [];
  }),
);

export function CheckFiles(): JSX.Element {
  const files = useRef<HTMLInputElement>(null);
  const folder = useRef<HTMLInputElement>(null);
  const picked = (input: HTMLInputElement) => {
    const given = [...(input.files ?? [])];
    input.value = "";
    void checkInput(given);
  };
  return (
    <div
      class="screen"
      data-takes-drops
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => {
        event.preventDefault();
        void checkDrop(event);
      }}
    >
      <div class="screen-head">
        <h1>{text.screens.check}</h1>
        <button type="button" onClick={() => files.current!.click()}>
          {words.choose}
        </button>
        <button type="button" onClick={() => folder.current!.click()}>
          {words.folder}
        </button>
        {rows.value.length > 0 && (
          <button type="button" onClick={() => (loose.value = [])}>
            {words.again}
          </button>
        )}
        <input ref={files} type="file" multiple class="visually-hidden" tabIndex={-1} aria-label={words.choose} onChange={(event) => picked(event.currentTarget)} />
        <input
          ref={(element) => {
            folder.current = element;
            if (element) element.webkitdirectory = true;
          }}
          type="file"
          class="visually-hidden"
          tabIndex={-1}
          aria-label={words.folder}
          onChange={(event) => picked(event.currentTarget)}
        />
        {!canRead() && <p class="notice warn">{words.noBytes}</p>}
      </div>
      {rows.value.length ? (
        <Grid<CheckRow>
          id="check"
          label={words.list}
          columns={columns}
          groups={groups}
          sort={unsorted}
          keyOf={(row) => row.file.path}
          filesOf={(row) => (row.match ? [row.match] : [])}
          cell={cell}
          onSort={() => undefined}
          onOpen={(row) => row.match && openFile(row.match)}
        />
      ) : (
        <div class="drop-zone fills">
          <p>{words.lead}</p>
        </div>
      )}
    </div>
  );
}

function cell(row: CheckRow, column: string): string {
  if (column === "name") return row.file.path;
  if (column === "match") return row.match?.path ?? "";
  const { state, currentRevision, since } = row;
  if (state === "superseded" || state === "named superseded") return words.superseded(currentRevision, since);
  if (state === "current" || state === "named current") return words.isCurrent(currentRevision, since);
  return row.document ? `${words.states[state]}: ${words.isCurrent(currentRevision, since)}` : words.states[state];
}

async function checkDrop(event: DragEvent): Promise<void> {
  const given = [...(event.dataTransfer?.files ?? [])];
  const dropped = await fromDrop(event);
  if (!dropped) {
    addProblem(text.title, text.errors.nothingDropped);
    return;
  }
  await checkPlace(dropped, given.length);
}

async function checkInput(given: readonly File[]): Promise<void> {
  if (given.length) await checkPlace(fromInput([...given]), given.length);
}
