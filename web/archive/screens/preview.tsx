/** A file inside the page: PDF by the browser's own viewer, images, pages without their scripts, text and tables. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { FIT, PageFrame, PdfFrame, Picture } from "../../shared/blobs";
import { guessDelimiter, parseCells } from "../../shared/csv";
import { reasonOf } from "../../shared/files/place";
import { formatNumber, formatSize } from "../../shared/shell";
import { createTable } from "../../shared/table";
import { visible, visibleText } from "../../shared/visible";
import { hasPreview, LARGEST_TEXT, previewOf, type Preview } from "../../shared/preview";
import { place } from "../state";
import { text } from "../text";

const MOST_ROWS = 20_000;
const MOST_COLUMNS = 50;

type Loaded = Preview | { readonly kind: "loading" } | { readonly kind: "failed"; readonly reason: string };

/** A file of the open place, by its path. */
export function FilePreview({ path, name, extension }: { path: string; name: string; extension: string }): JSX.Element {
  const loaded = useSignal<Loaded>({ kind: "loading" });
  useEffect(() => {
    let isWanted = true;
    const take = (next: Loaded) => {
      if (isWanted) loaded.value = next;
    };
    if (!hasPreview(extension)) take({ kind: "none" });
    else {
      take({ kind: "loading" });
      const base = place.peek();
      base
        ?.open(path)
        .then((file) => previewOf(file, extension))
        .then(take, (error: unknown) => take({ kind: "failed", reason: reasonOf(error) }));
    }
    return () => {
      isWanted = false;
    };
  }, [path, extension]);
  return (
    <div class="preview" aria-busy={loaded.value.kind === "loading"}>
      <Shown preview={loaded.value} name={name} extension={extension} />
    </div>
  );
}

function Shown({ preview, name, extension }: { preview: Loaded; name: string; extension: string }): JSX.Element {
  const title = text.preview.title(visible(name));
  switch (preview.kind) {
    case "loading":
      return <p class="muted">{text.preview.loading}</p>;
    case "failed":
      return <p class="bad breaks">{visible(preview.reason)}</p>;
    case "none":
      return <p class="muted">{text.preview.none(visible(extension))}</p>;
    case "pdf":
      return <PdfFrame blob={preview.blob} title={title} view={FIT} />;
    case "page":
      return <PageFrame blob={preview.blob} title={title} />;
    case "image":
      return <Picture blob={preview.blob} title={title} />;
    case "text":
    case "table":
      return (
        <>
          {preview.isCut && <p class="muted">{text.preview.cut(formatSize(LARGEST_TEXT))}</p>}
          {preview.kind === "text" ? (
            <pre class="preview-text" tabIndex={0} aria-label={title}>
              {visibleText(preview.text)}
            </pre>
          ) : (
            <CsvTable source={preview.text} extension={extension} title={title} />
          )}
        </>
      );
    default:
      return <p class="muted">{text.preview[preview.kind]}</p>;
  }
}

function CsvTable({ source, extension, title }: { source: string; extension: string; title: string }): JSX.Element {
  const host = useRef<HTMLDivElement>(null);
  const rows = useMemo(() => {
    const clean = source.replace(/^\ufeff/, "");
    const read = parseCells(clean, extension === "tsv" ? "\t" : guessDelimiter(clean), MOST_ROWS + 1);
    return read.filter((cells) => cells.length > 1 || cells[0] !== "");
  }, [source]);
  useEffect(() => {
    const width = Math.min(MOST_COLUMNS, Math.max(1, ...rows.slice(0, 200).map((row) => row.length)));
    const head = rows[0] ?? [];
    const table = createTable({
      label: title,
      columns: Array.from({ length: width }, (_, at) => ({
        id: String(at),
        label: visible(head[at] || String(at + 1)),
        width: Math.max(4, Math.min(24, 0.6 * Math.max(...rows.slice(0, 50).map((row) => (row[at] ?? "").length)) + 1.5)),
      })),
      cell: (row, column) => rows[row + 1]?.[Number(column.id)] ?? "",
    });
    host.current?.append(table.element);
    table.setRows(Math.max(0, rows.length - 1));
    return () => table.destroy();
  }, [rows]);
  return (
    <>
      <p class="muted">{text.preview.rows(formatNumber(Math.max(0, rows.length - 1)))}</p>
      <div class="preview-table" ref={host} />
    </>
  );
}
