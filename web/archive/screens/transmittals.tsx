/** What was received and issued, by party and month; and what is in each transmittal. */
import { computed, signal } from "@preact/signals";
import type { JSX } from "preact";
import { formatNumber, fragment, setFragment } from "../../shared/shell";
import { visible } from "../../shared/visible";
import { documentOf, groupTransmittals, USUAL_KINDS } from "../model/transmittals";
import type { FileRow, Group, Kind, Transmittal } from "../model/types";
import { archive, choose, openFile } from "../state";
import { text } from "../text";
import { screensText } from "../textScreens";
import { unsorted } from "./findings";
import { Grid } from "./grid";

const words = screensText.transmittals;
const KINDS: readonly Kind[] = ["received", "issued", "incoming", "mdl", ""];
const listColumns = [
  { id: "date", label: words.columns.date, width: 7 },
  { id: "trackingNumber", label: words.columns.trackingNumber, width: 9 },
  { id: "status", label: words.columns.status, width: 4.5 },
  { id: "title", label: words.columns.title, width: 9, grow: true },
  { id: "kind", label: words.columns.kind, width: 5 },
  { id: "files", label: words.columns.files, width: 3.5, align: "end" as const },
];
const fileColumns = [
  { id: "tracking_number", label: text.columns.tracking_number, width: 12 },
  { id: "title", label: text.columns.title, width: 12, grow: true },
  { id: "revision", label: text.columns.revision, width: 6 },
  { id: "status", label: text.columns.status, width: 5 },
  { id: "extension", label: text.columns.type, width: 5 },
];

const kinds = signal<ReadonlySet<Kind>>(USUAL_KINDS);
const withOutstanding = signal(true);

const groups = computed<readonly Group<Transmittal>[]>(() => {
  const known = archive.value;
  if (!known) return [];
  return groupTransmittals(known, { kinds: kinds.value, parties: null }).flatMap(({ party, months }) =>
    months
      .filter(({ month }) => month || withOutstanding.value)
      .map(({ month, transmittals }) => ({
        heading: `${party || words.noParty} · ${month || words.outstanding}`,
        rows: transmittals,
      })),
  );
});

const keyOf = (one: Transmittal) => (one.isOutstanding ? `/${one.folder}` : one.folder);
const openedKey = computed(() => fragment.value.get("transmittal"));
const opened = computed(() => archive.value?.transmittals.find((one) => keyOf(one) === openedKey.value) ?? null);
const openedFiles = computed<readonly Group<FileRow>[]>(() => [{ heading: "", rows: opened.value?.files ?? [] }]);

export function Transmittals(): JSX.Element {
  return (
    <div class="screen">
      <div class="screen-head">
        <h1>{text.screens.transmittals}</h1>
        <div class="choices" role="group" aria-label={words.kinds}>
          {KINDS.filter((kind) => archive.value?.kinds.has(kind)).map((kind) => (
            <button key={kind} type="button" class="chip" aria-pressed={kinds.value.has(kind)} onClick={() => toggle(kind)}>
              {kind || words.elsewhere}
            </button>
          ))}
          <button
            type="button"
            class="chip"
            title={words.outstandingHint}
            aria-pressed={withOutstanding.value}
            onClick={() => (withOutstanding.value = !withOutstanding.value)}
          >
            {words.outstanding}
          </button>
        </div>
      </div>
      {groups.value.length ? (
        <div class="halves">
          <div class="half">
            <Grid<Transmittal>
              id="transmittals"
              label={words.list}
              columns={listColumns}
              groups={groups}
              sort={unsorted}
              keyOf={keyOf}
              filesOf={(one) => one.files}
              cell={cell}
              onSort={() => undefined}
              onOpen={show}
              onFocus={(one) => openedKey.peek() !== null && show(one)}
            />
          </div>
          <section class="half" aria-label={words.files}>
            {opened.value ? <Content transmittal={opened.value} /> : <p class="empty">{words.choose}</p>}
          </section>
        </div>
      ) : (
        <p class="empty">{words.none}</p>
      )}
    </div>
  );
}

function toggle(kind: Kind): void {
  const next = new Set(kinds.peek());
  if (!next.delete(kind)) next.add(kind);
  kinds.value = next;
}

function show(one: Transmittal): void {
  setFragment({ transmittal: keyOf(one) });
}

function cell(one: Transmittal, column: string): string {
  if (column === "files") return formatNumber(one.files.length);
  if (column === "title" && one.isOutstanding) return words.outsideOf(one.folder);
  return one[column as "date"];
}

function Content({ transmittal }: { transmittal: Transmittal }): JSX.Element {
  const own = documentOf(transmittal);
  return (
    <>
      <h2 class="breaks">
        {transmittal.isOutstanding
          ? visible(words.outsideOf(transmittal.folder))
          : visible(`${transmittal.date} ${transmittal.trackingNumber} (${transmittal.status}) - ${transmittal.title}`)}
      </h2>
      <div class="buttons no-print">
        {own && (
          <>
            <button type="button" title={words.openHint} onClick={() => openFile(own)}>
              {words.open}
            </button>
            <a class="button" href="./transmittal.html">
              {words.verify}
            </a>
          </>
        )}
        <button type="button" onClick={() => choose(transmittal.files.map((file) => file.id), true)}>
          {words.select}
        </button>
        <span class="muted">{words.count(formatNumber(transmittal.files.length))}</span>
      </div>
      {transmittal.isZip && <p class="notice">{words.isZip}</p>}
      <Grid<FileRow>
        id="transmittal-files"
        label={words.files}
        columns={fileColumns}
        groups={openedFiles}
        sort={unsorted}
        keyOf={(file) => file.path}
        filesOf={(file) => [file]}
        cell={(file, column) => (column === "title" ? file.title || file.name : file[column as "status"])}
        rowClass={(file) => (file.valid ? "" : "is-odd-name")}
        onSort={() => undefined}
        onOpen={openFile}
      />
    </>
  );
}
