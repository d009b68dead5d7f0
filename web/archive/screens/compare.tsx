/** Two files of a document side by side: two revisions, or two copies. */
import { computed, effect, signal, useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useMemo } from "preact/hooks";
import { FIT, PdfFrame, useAddress } from "../../shared/blobs";
import { reasonOf } from "../../shared/files/place";
import { sha256OfBlob } from "../../shared/hashing";
import { rightOpen } from "../../shared/folderShell";
import { formatNumber, formatSize, formatTime, fragment, setFragment } from "../../shared/shell";
import { visible, visibleText } from "../../shared/visible";
import { compareTexts, wayToCompare, type ComparedLine, type Comparison, type Piece } from "../model/compare";
import type { Document, FileRow } from "../model/types";
import { LARGEST_TEXT, previewOf } from "../../shared/preview";
import { archive, openedDocument, openedFile, place, screen } from "../state";
import { text } from "../text";
import { screensText } from "../textScreens";
import { bestCopy } from "./document";

const words = screensText.compare;
/** Equal lines around a difference that are shown with it. */
const AROUND = 3;
const MOST_SHOWN = 5_000;

const shownDocument = computed(() => archive.value?.byTrackingNumber.get(fragment.value.get("of") ?? "") ?? null);

// Two files beside each other need the whole width: what stood on the right becomes what is compared.
effect(() => {
  const number = openedDocument.value;
  if (screen.value !== "compare" || (!number && !openedFile.value)) return;
  queueMicrotask(() => {
    setFragment(number ? { of: number, doc: null, file: null } : { file: null });
    rightOpen.value = false;
  });
});
const copies = computed(() => shownDocument.value?.revisions.flatMap((revision) => revision.copies) ?? []);
const newFile = computed(() => named("new") ?? (shownDocument.value ? bestCopy(shownDocument.value.current) : null));
const oldFile = computed(() => named("old") ?? (shownDocument.value ? before(shownDocument.value, newFile.value) : null));

function named(parameter: string): FileRow | null {
  const path = fragment.value.get(parameter);
  return (path !== null && copies.value.find((file) => file.path === path)) || null;
}

/** The file of the next older revision, of the same kind where there is one. */
function before(document: Document, now: FileRow | null): FileRow | null {
  if (!now) return null;
  const at = document.revisions.findIndex((revision) => revision.text === now.revision);
  const older = document.revisions.slice(at + 1);
  const next = older.find((revision) => revision.isFinalBase && revision.copies.some((copy) => copy.extension === now.extension)) ?? older[0];
  if (!next) return copies.value.find((file) => file !== now) ?? null;
  return next.copies.find((copy) => copy.extension === now.extension) ?? bestCopy(next);
}

export function Compare(): JSX.Element {
  const document = shownDocument.value;
  const [old, now] = [oldFile.value, newFile.value];
  return (
    <div class="screen scrolls">
      <div class="screen-head">
        <h1>{text.screens.compare}</h1>
        {document && old && now && (
          <>
            <span class="mono breaks">{visible(document.trackingNumber)}</span>
            <Choice label={words.old} name="old" chosen={old} />
            <Choice label={words.new} name="new" chosen={now} />
            <button type="button" onClick={() => setFragment({ old: now.path, new: old.path })}>
              {words.swap}
            </button>
          </>
        )}
      </div>
      {old && now ? <Pair key={`${old.path}\n${now.path}`} old={old} now={now} /> : <p class="empty">{words.choose}</p>}
    </div>
  );
}

function Choice({ label, name, chosen }: { label: string; name: string; chosen: FileRow }): JSX.Element {
  return (
    <label>
      {label}
      <select value={chosen.path} onChange={(event) => setFragment({ [name]: event.currentTarget.value })}>
        {copies.value.map((file) => (
          <option key={file.path} value={file.path}>
            {visible([file.revision, file.extension, file.date, file.kind, file.party].filter(Boolean).join(" · "))}
          </option>
        ))}
      </select>
    </label>
  );
}

/** What is compared of two texts, and whether it is all of them. */
interface ComparedTexts {
  readonly comparison: Comparison | null;
  readonly isCut: boolean;
}

interface Opened {
  readonly old: File;
  readonly now: File;
  readonly hashes: readonly [string, string];
}

function Pair({ old, now }: { old: FileRow; now: FileRow }): JSX.Element {
  const opened = useSignal<Opened | null>(null);
  const failed = useSignal("");
  useEffect(() => {
    const base = place.peek();
    const controller = new AbortController();
    const read = async () => {
      if (!base) return;
      const [one, other] = await Promise.all([base.open(old.path), base.open(now.path)]);
      const hashes = [await sha256OfBlob(one, { signal: controller.signal }), await sha256OfBlob(other, { signal: controller.signal })] as const;
      if (!controller.signal.aborted) opened.value = { old: one, now: other, hashes };
    };
    read().catch((error: unknown) => {
      if (!controller.signal.aborted) failed.value = reasonOf(error);
    });
    return () => controller.abort();
  }, []);
  if (failed.value) return <p class="notice bad breaks">{visible(failed.value)}</p>;
  if (!opened.value) return <p class="empty" role="status">{words.reading}</p>;
  const { hashes } = opened.value;
  return (
    <>
      <p class={`notice ${hashes[0] === hashes[1] ? "good" : ""}`}>{hashes[0] === hashes[1] ? words.same : words.other}</p>
      <Facts rows={[old, now]} files={[opened.value.old, opened.value.now]} hashes={hashes} />
      <Shown old={old} now={now} opened={opened.value} />
    </>
  );
}

function Facts({ rows, files, hashes }: { rows: readonly FileRow[]; files: readonly File[]; hashes: readonly string[] }): JSX.Element {
  return (
    <table class="rows" aria-label={words.facts}>
      <thead>
        <tr>
          <td />
          {[text.columns.revision, words.columns.status, words.columns.from, words.columns.size, words.columns.modified, words.columns.sha256].map((label) => (
            <th key={label} scope="col">
              {label}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row, at) => (
          <tr key={at}>
            <th scope="row">{at ? words.new : words.old}</th>
            <td>{visible(row.revision)}</td>
            <td>{visible(row.status)}</td>
            <td class="breaks">{visible([row.date, row.kind, row.party, row.transmittal].filter(Boolean).join(" · "))}</td>
            <td>{formatSize(files[at]!.size)}</td>
            <td>{formatTime(files[at]!.lastModified)}</td>
            <td class="mono breaks">{hashes[at]}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Shown({ old, now, opened }: { old: FileRow; now: FileRow; opened: Opened }): JSX.Element {
  switch (wayToCompare(old.extension, now.extension)) {
    case "text":
      return <TextCompare old={opened.old} now={opened.now} extensions={[old.extension, now.extension]} />;
    case "pdf":
      return <PdfCompare old={opened.old} now={opened.now} />;
    case "image":
      return <ImageCompare old={old} now={now} opened={opened} />;
    default:
      return <p class="muted">{words.noWay}</p>;
  }
}

function TextCompare({ old, now, extensions }: { old: File; now: File; extensions: readonly [string, string] }): JSX.Element {
  const made = useSignal<ComparedTexts | null>(null);
  const failed = useSignal("");
  useEffect(() => {
    let isWanted = true;
    Promise.all([previewOf(old, asText(extensions[0])), previewOf(now, asText(extensions[1]))]).then(
      ([one, other]) => {
        const texts = [one, other].map((shown) => (shown.kind === "text" || shown.kind === "table" ? shown.text : shown.kind === "empty" ? "" : null));
        const [first, second] = texts;
        if (!isWanted) return;
        const isText = typeof first === "string" && typeof second === "string";
        made.value = {
          comparison: isText ? compareTexts(first, second) : null,
          isCut: [one, other].some((shown) => "isCut" in shown && shown.isCut),
        };
      },
      (error: unknown) => (failed.value = reasonOf(error)),
    );
    return () => {
      isWanted = false;
    };
  }, []);
  if (failed.value) return <p class="notice bad breaks">{visible(failed.value)}</p>;
  if (made.value === null) return <p class="empty" role="status">{words.reading}</p>;
  const { comparison, isCut } = made.value;
  if (!comparison) return <p class="notice">{words.tooDifferent}</p>;
  return (
    <>
      {isCut && <p class="notice warn">{words.cut(formatSize(LARGEST_TEXT))}</p>}
      <Lines comparison={comparison} />
    </>
  );
}

/** What is a picture or a page otherwise is compared by its source. */
function asText(extension: string): string {
  return extension === "csv" || extension === "tsv" ? extension : "txt";
}

type Part = { readonly skipped: number } | { readonly line: ComparedLine; readonly starts: boolean };
const onlyChanges = signal(true);

function Lines({ comparison }: { comparison: Comparison }): JSX.Element {
  const { added, removed, changed } = comparison;
  const parts = useMemo(() => (onlyChanges.value ? around(comparison.lines) : comparison.lines.map((line, at) => ({ line, starts: startsAt(comparison.lines, at) }))), [comparison, onlyChanges.value]);
  const isSame = !added && !removed && !changed;
  return (
    <section aria-label={words.differences}>
      <div class="buttons no-print">
        <span role="status">{isSame && comparison.onlyLineEnds ? words.onlyLineEnds : words.counts(formatNumber(added), formatNumber(removed), formatNumber(changed))}</span>
        {!isSame && (
          <>
            <button type="button" class="chip" aria-pressed={onlyChanges.value} onClick={() => (onlyChanges.value = !onlyChanges.value)}>
              {words.onlyChanges}
            </button>
            <button type="button" onClick={() => step(-1)}>
              {words.previous}
            </button>
            <button type="button" onClick={() => step(1)}>
              {words.next}
            </button>
          </>
        )}
      </div>
      <table class="diff" aria-label={words.differences}>
        <colgroup>
          <col class="line-number" />
          <col />
          <col class="line-number" />
          <col />
        </colgroup>
        <thead class="visually-hidden">
          <tr>
            <th scope="col">{`${words.old}, ${words.line}`}</th>
            <th scope="col">{words.old}</th>
            <th scope="col">{`${words.new}, ${words.line}`}</th>
            <th scope="col">{words.new}</th>
          </tr>
        </thead>
        <tbody>
          {parts.slice(0, MOST_SHOWN).map((part, at) =>
            "skipped" in part ? (
              <tr key={at} class="skipped">
                <td colSpan={4}>{words.skipped(formatNumber(part.skipped))}</td>
              </tr>
            ) : (
              <Line key={at} line={part.line} starts={part.starts} />
            ),
          )}
        </tbody>
      </table>
    </section>
  );
}

function startsAt(lines: readonly ComparedLine[], at: number): boolean {
  return lines[at]!.kind !== "same" && (at === 0 || lines[at - 1]!.kind === "same");
}

/** The differences with some equal lines around them. */
function around(lines: readonly ComparedLine[]): Part[] {
  const near = new Uint8Array(lines.length);
  lines.forEach((line, at) => {
    if (line.kind !== "same") near.fill(1, Math.max(0, at - AROUND), at + AROUND + 1);
  });
  const parts: Part[] = [];
  let skipped = 0;
  lines.forEach((line, at) => {
    if (!near[at]) {
      skipped += 1;
      return;
    }
    if (skipped) parts.push({ skipped });
    skipped = 0;
    parts.push({ line, starts: startsAt(lines, at) });
  });
  if (skipped) parts.push({ skipped });
  return parts;
}

function Line({ line, starts }: { line: ComparedLine; starts: boolean }): JSX.Element {
  return (
    <tr class={`is-${line.kind}`} {...(starts && { "data-difference": "", tabIndex: -1 })}>
      <td class="number">{line.oldNumber}</td>
      <td>{line.old && <Pieces pieces={line.old} isOld={true} isWhole={line.kind !== "changed"} />}</td>
      <td class="number">{line.newNumber}</td>
      <td>{line.new && <Pieces pieces={line.new} isOld={false} isWhole={line.kind !== "changed"} />}</td>
    </tr>
  );
}

function Pieces({ pieces, isOld, isWhole }: { pieces: readonly Piece[]; isOld: boolean; isWhole: boolean }): JSX.Element {
  return (
    <>
      {pieces.map((piece, at) =>
        !piece.isChanged ? (
          visibleText(piece.text)
        ) : isOld ? (
          <del key={at} class={isWhole ? "is-whole" : ""}>{visibleText(piece.text)}</del>
        ) : (
          <ins key={at} class={isWhole ? "is-whole" : ""}>{visibleText(piece.text)}</ins>
        ),
      )}
    </>
  );
}

function step(by: number): void {
  const all = [...globalThis.document.querySelectorAll<HTMLElement>("[data-difference]")];
  const at = all.findIndex((one) => one === globalThis.document.activeElement);
  const next = all[at < 0 ? (by > 0 ? 0 : all.length - 1) : (at + by + all.length) % all.length];
  next?.focus();
  next?.scrollIntoView({ block: "center" });
}

function PdfCompare({ old, now }: { old: File; now: File }): JSX.Element {
  const blobs = useMemo(() => [old, now].map((file) => file.slice(0, file.size, "application/pdf")), [old, now]);
  return (
    <div class="halves is-tall">
      <div class="half">
        <PdfFrame blob={blobs[0]!} title={words.old} view={FIT} />
      </div>
      <div class="half">
        <PdfFrame blob={blobs[1]!} title={words.new} view={FIT} />
      </div>
    </div>
  );
}

type ImageWay = "side" | "slide" | "blink";
const BLINK_MS = 700;

function ImageCompare({ old, now, opened }: { old: FileRow; now: FileRow; opened: Opened }): JSX.Element {
  const blobs = useSignal<readonly [Blob, Blob] | null>(null);
  const failed = useSignal("");
  useEffect(() => {
    Promise.all([previewOf(opened.old, old.extension), previewOf(opened.now, now.extension)]).then(
      ([one, other]) => {
        if (one.kind === "image" && other.kind === "image") blobs.value = [one.blob, other.blob];
        else failed.value = one.kind === "tooLarge" || other.kind === "tooLarge" ? text.preview.tooLarge : words.noWay;
      },
      (error: unknown) => (failed.value = reasonOf(error)),
    );
  }, []);
  if (failed.value) return <p class="notice breaks">{visible(failed.value)}</p>;
  return blobs.value ? <Images blobs={blobs.value} /> : <p class="empty" role="status">{words.reading}</p>;
}

function Images({ blobs }: { blobs: readonly [Blob, Blob] }): JSX.Element {
  const [one, other] = [useAddress(blobs[0]), useAddress(blobs[1])];
  const way = useSignal<ImageWay>("side");
  const part = useSignal(50);
  const isNew = useSignal(false);
  useEffect(() => {
    if (way.value !== "blink") return undefined;
    const timer = setInterval(() => (isNew.value = !isNew.value), BLINK_MS);
    return () => clearInterval(timer);
  }, [way.value]);
  return (
    <section aria-label={words.differences}>
      <div class="buttons no-print">
        {(["side", "slide", "blink"] as const).map((id) => (
          <button key={id} type="button" class="chip" aria-pressed={way.value === id} onClick={() => (way.value = id)}>
            {words[id]}
          </button>
        ))}
        {way.value === "slide" && (
          <input type="range" min="0" max="100" value={part.value} aria-label={words.position} onInput={(event) => (part.value = Number(event.currentTarget.value))} />
        )}
        {way.value === "blink" && <span>{isNew.value ? words.new : words.old}</span>}
      </div>
      {way.value === "side" ? (
        <div class="halves">
          <div class="half preview-image"><img src={one} alt={words.old} /></div>
          <div class="half preview-image"><img src={other} alt={words.new} /></div>
        </div>
      ) : (
        <div class="preview-image is-stacked">
          <img src={one} alt={words.old} />
          <img
            src={other}
            alt={words.new}
            ref={(element) => {
              // By the object model: a page of ours has no style attributes.
              if (!element) return;
              element.style.clipPath = way.value === "slide" ? `inset(0 0 0 ${100 - part.value}%)` : "";
              element.style.visibility = way.value === "blink" && !isNew.value ? "hidden" : "";
            }}
          />
        </div>
      )}
    </section>
  );
}
