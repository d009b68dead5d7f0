/** What a list of deliverables promises, and what came. */
import { computed, signal } from "@preact/signals";
import type { JSX } from "preact";
import { useRef } from "preact/hooks";
import { formatCsv } from "../../shared/csv";
import { download } from "../../shared/save";
import { addProblem, formatNumber, showToast } from "../../shared/shell";
import { visible } from "../../shared/visible";
import { compareWithList, countStates, readPromises, type ExpectedRow, type ExpectedState, type PromiseList } from "../model/expected";
import type { Group } from "../model/types";
import { archive, openDocument } from "../state";
import { text } from "../text";
import { screensText } from "../textScreens";
import { today } from "./due";
import { Grid } from "./grid";

const words = screensText.expected;
const STATES: readonly ExpectedState[] = ["missing", "late", "superseded", "received", "not on the list"];
const LARGEST = 20_000_000;
const MOST_PROBLEMS = 50;
const columns = [
  { id: "trackingNumber", label: words.columns.trackingNumber, width: 12, sortable: true },
  { id: "title", label: words.columns.title, width: 12, sortable: true, grow: true },
  { id: "promised", label: words.columns.promised, width: 6 },
  { id: "due", label: words.columns.due, width: 7, sortable: true },
  { id: "current", label: words.columns.current, width: 6 },
  { id: "received", label: words.columns.received, width: 7, sortable: true },
  { id: "late", label: words.columns.late, width: 6 },
];

const list = signal<PromiseList | null>(null);
const sort = signal<{ column: string; descending: boolean }>({ column: "", descending: false });
const rows = computed(() => (archive.value && list.value ? compareWithList(archive.value, list.value.promised, today()) : []));

const groups = computed<readonly Group<ExpectedRow>[]>(() =>
  STATES.flatMap((state) => {
    const own = rows.value.filter((row) => row.state === state);
    const { column, descending } = sort.value;
    const key = column as "trackingNumber" | "title" | "due" | "received";
    const sign = descending ? -1 : 1;
    if (column) own.sort((one, other) => sign * (one[key] < other[key] ? -1 : one[key] > other[key] ? 1 : 0));
    return own.length ? [{ heading: words.states[state], rows: own }] : [];
  }),
);

export function Expected(): JSX.Element {
  const known = list.value;
  return (
    <div class="screen">
      <div class="screen-head">
        <h1>{text.screens.expected}</h1>
        {known && (
          <>
            <button type="button" onClick={() => (list.value = null)}>
              {words.another}
            </button>
            <button type="button" onClick={exportExpected}>
              {words.export}
            </button>
          </>
        )}
      </div>
      {known ? <Result known={known} /> : <Entry />}
    </div>
  );
}

function Entry(): JSX.Element {
  const area = useRef<HTMLTextAreaElement>(null);
  const input = useRef<HTMLInputElement>(null);
  return (
    <div
      class="drop-zone fills"
      data-takes-drops
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => {
        event.preventDefault();
        const file = event.dataTransfer?.files[0];
        if (file) void readFile(file);
      }}
    >
      <p>{words.lead}</p>
      <p class="muted">{words.columnsHint}</p>
      <textarea ref={area} rows={10} aria-label={words.label} spellcheck={false} />
      <div class="buttons">
        <button type="button" class="primary" onClick={() => take(area.current!.value)}>
          {words.compare}
        </button>
        <button type="button" onClick={() => input.current!.click()}>
          {words.choose}
        </button>
        <input
          ref={input}
          type="file"
          class="visually-hidden"
          tabIndex={-1}
          aria-label={words.choose}
          accept=".csv,.tsv,.txt"
          onChange={(event) => {
            const file = event.currentTarget.files?.[0];
            event.currentTarget.value = "";
            if (file) void readFile(file);
          }}
        />
      </div>
    </div>
  );
}

async function readFile(file: File): Promise<void> {
  if (file.size > LARGEST) {
    addProblem(file.name, words.tooLarge);
    return;
  }
  try {
    take(new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer()));
  } catch {
    addProblem(file.name, words.notText);
  }
}

function take(given: string): void {
  const read = readPromises(given);
  if (read.promised.length) list.value = read;
  else showToast(words.empty);
}

function Result({ known }: { known: PromiseList }): JSX.Element {
  const counts = countStates(rows.value);
  const { problems } = known;
  return (
    <>
      <details class="summary" open={counts.size <= 12}>
        <summary>{words.byDiscipline}</summary>
        <table class="rows">
          <thead>
            <tr>
              <th scope="col">{words.discipline}</th>
              {STATES.map((state) => (
                <th key={state} scope="col" class="number">
                  {words.states[state]}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {[...counts].sort(([one], [other]) => (one < other ? -1 : 1)).map(([discipline, own]) => (
              <tr key={discipline}>
                <th scope="row">{discipline ? visible(discipline) : words.all}</th>
                {STATES.map((state) => (
                  <td key={state} class="number">
                    {formatNumber(own.get(state) ?? 0)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </details>
      {problems.length > 0 && (
        <details class="notice warn">
          <summary>{words.problems(problems.length)}</summary>
          <ul>
            {problems.slice(0, MOST_PROBLEMS).map(({ line, reason }) => (
              <li key={line}>{visible(words.line(line, reason))}</li>
            ))}
          </ul>
        </details>
      )}
      <Grid<ExpectedRow>
        id="expected"
        label={words.list}
        columns={columns}
        groups={groups}
        sort={sort}
        keyOf={(row) => JSON.stringify([row.trackingNumber, row.promisedRevision])}
        filesOf={(row) => row.document?.current.copies ?? []}
        cell={cell}
        rowClass={(row) => (row.daysLate ? "is-over" : "")}
        onSort={(column) => (sort.value = { column, descending: sort.peek().column === column && !sort.peek().descending })}
        onOpen={(row) => row.document && openDocument(row.trackingNumber)}
      />
    </>
  );
}

function cell(row: ExpectedRow, column: string): string {
  if (column === "promised") return row.promisedRevision;
  if (column === "current") return row.document?.current.text ?? "";
  if (column === "late") return row.daysLate ? words.late(row.daysLate) : "";
  return row[column as "title"];
}

function exportExpected(): void {
  const lines = rows.peek().map((row) => [
    words.states[row.state], row.trackingNumber, row.title, row.promisedRevision, row.due,
    row.document?.current.text ?? "", row.received, row.daysLate,
  ]);
  download(words.fileName, new Blob([formatCsv([words.csv, ...lines])], { type: "text/csv;charset=utf-8" }));
  showToast(text.exports.done(words.fileName, formatNumber(lines.length)));
}
