/** What was sent for review and has no answer. */
import { computed, signal } from "@preact/signals";
import type { JSX } from "preact";
import { formatCsv } from "../../shared/csv";
import { download } from "../../shared/save";
import { copyText, formatNumber, fragment, setFragment, showToast } from "../../shared/shell";
import { isCalendarDate } from "../../shared/naming";
import { asked } from "../answers";
import { DAYS_TO_ANSWER, listDue, mailText, type DueRow } from "../model/due";
import type { Group } from "../model/types";
import { archive, openDocument, screen } from "../state";
import { text } from "../text";
import { screensText } from "../textScreens";
import { Grid } from "./grid";

const words = screensText.due;
const columns = [
  { id: "due", label: words.columns.due, width: 7, sortable: true },
  { id: "left", label: words.columns.left, width: 7 },
  { id: "trackingNumber", label: words.columns.trackingNumber, width: 12, sortable: true },
  { id: "title", label: words.columns.title, width: 12, sortable: true, grow: true },
  { id: "revision", label: words.columns.revision, width: 5 },
  { id: "status", label: words.columns.status, width: 4.5, sortable: true },
  { id: "party", label: words.columns.party, width: 7, sortable: true },
  { id: "transmittal", label: words.columns.transmittal, width: 9, sortable: true },
  { id: "sent", label: words.columns.sent, width: 7, sortable: true },
];

/** The day of the person who looks, not that of Greenwich. */
export function today(): string {
  const now = new Date();
  return `${now.getFullYear()}-${String(now.getMonth() + 1).padStart(2, "0")}-${String(now.getDate()).padStart(2, "0")}`;
}

const daysToAnswer = computed(() => {
  const given = fragment.value.get("days") ?? "";
  return /^[0-9]{1,3}$/.test(given) ? Number(given) : DAYS_TO_ANSWER;
});
const asOf = computed(() => {
  const given = fragment.value.get("asof") ?? "";
  return isCalendarDate(given) ? given : today();
});
const rows = computed(() => (archive.value && screen.value === "due" ? listDue(archive.value, asOf.value, daysToAnswer.value, (folder) => asked.value.get(folder) || undefined) : []));
const sort = signal({ column: "due", descending: false });

const groups = computed<readonly Group<DueRow>[]>(() =>
  (["received", "issued"] as const).flatMap((direction) => {
    const own = rows.value.filter((row) => row.direction === direction);
    if (!own.length) return [];
    const { column, descending } = sort.value;
    const key = column as keyof DueRow & ("due" | "title" | "party" | "trackingNumber" | "status" | "transmittal" | "sent");
    const sign = descending ? -1 : 1;
    // Rows that are equal keep their order: the most urgent first.
    own.sort((one, other) => sign * (one[key] < other[key] ? -1 : one[key] > other[key] ? 1 : 0));
    return [{ heading: words.groups[direction], rows: own }];
  }),
);

export function Due(): JSX.Element {
  return (
    <div class="screen">
      <div class="screen-head">
        <h1>{text.screens.due}</h1>
        <label>
          {words.days}
          <input
            type="number"
            min="0"
            max="999"
            value={daysToAnswer.value}
            onChange={(event) => setFragment({ days: event.currentTarget.value === String(DAYS_TO_ANSWER) ? null : event.currentTarget.value })}
          />
        </label>
        <label>
          {words.asOf}
          <input type="date" value={asOf.value} onChange={(event) => setFragment({ asof: event.currentTarget.value === today() ? null : event.currentTarget.value })} />
        </label>
        <button type="button" disabled={!rows.value.length} onClick={() => void copyText(mail())}>
          {words.mail}
        </button>
        <button type="button" disabled={!rows.value.length} onClick={exportDue}>
          {words.export}
        </button>
        <p class="muted">{words.lead}</p>
      </div>
      {rows.value.length ? (
        <Grid<DueRow>
          id="due"
          label={words.list}
          columns={columns}
          groups={groups}
          sort={sort}
          keyOf={(row) => JSON.stringify([row.direction, row.file.path])}
          filesOf={(row) => [row.file]}
          cell={cell}
          rowClass={(row) => (row.daysLeft < 0 ? "is-over" : "")}
          onSort={(column) => (sort.value = { column, descending: sort.peek().column === column && !sort.peek().descending })}
          onOpen={(row) => openDocument(row.trackingNumber, row.file.path)}
        />
      ) : (
        <p class="empty">{words.none}</p>
      )}
    </div>
  );
}

function cell(row: DueRow, column: string): string {
  return column === "left" ? words.left(row.daysLeft) : row[column as "title"];
}

/** One list for each party, the most urgent first. */
function mail(): string {
  const parties = [...new Set(rows.peek().map((row) => row.party))];
  return parties
    .map((party) => {
      const own = rows.peek().filter((row) => row.party === party);
      return `${words.mailHead(party || words.noParty)}\n${mailText(own, (row) => words.mailLine(row.due, row.daysLeft, row.transmittal))}\n`;
    })
    .join("\n");
}

function exportDue(): void {
  const lines = rows.peek().map((row) => [
    row.due, row.daysLeft, row.trackingNumber, row.title, row.revision, row.status, row.party, row.direction, row.transmittal, row.sent,
  ]);
  download(words.fileName, new Blob([formatCsv([words.csv, ...lines])], { type: "text/csv;charset=utf-8" }));
  showToast(text.exports.done(words.fileName, formatNumber(lines.length)));
}
