/** On the right: the file of the row that is worked on. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { PageFrame, PdfFrame, Picture } from "../../shared/blobs";
import { previewOf, type Preview } from "../../shared/preview";
import { reasonOf } from "../../shared/files/place";
import { formatSize, formatTime } from "../../shared/shell";
import { visible, visibleText } from "../../shared/visible";
import { current, model, place, version } from "../state";
import { text } from "../text";

const LARGEST = 200_000_000;
/** A row that is only passed by on the way opens no file. */
const WAIT_MS = 150;
const MOST_TEXT = 200_000;

type Loaded = Preview | { readonly kind: "loading" | "large" } | { readonly kind: "failed"; readonly reason: string };

export function Right(): JSX.Element {
  void version.value;
  const row = current.value === null ? undefined : model.value?.sheet.rows[current.value];
  if (!row) return <p class="empty">{text.previewNone}</p>;
  return (
    <div class="file-preview">
      <h2 class="breaks">{visible(row.name)}</h2>
      <p class="muted measures">
        {row.folder && <span class="breaks">{visible(row.folder)}</span>}
        {row.size !== null && <span>{formatSize(row.size)}</span>}
        {row.modified !== null && <span>{formatTime(row.modified)}</span>}
      </p>
      <FilePreview key={row.path} path={row.path} name={row.name} />
    </div>
  );
}

function FilePreview({ path, name }: { path: string; name: string }): JSX.Element {
  const loaded = useSignal<Loaded>({ kind: "loading" });
  const extension = /\.([^.]+)$/.exec(name)?.[1]?.toLowerCase() ?? "";
  useEffect(() => {
    let isWanted = true;
    const load = async (): Promise<Loaded> => {
      const file = await place.peek()!.open(path);
      return file.size > LARGEST ? { kind: "large" } : previewOf(file, extension);
    };
    const timer = setTimeout(() => {
      load()
        .catch((error: unknown): Loaded => ({ kind: "failed", reason: reasonOf(error) }))
        .then((next) => {
          if (isWanted) loaded.value = next;
        });
    }, WAIT_MS);
    return () => {
      isWanted = false;
      clearTimeout(timer);
    };
  }, [path]);
  const shown = loaded.value;
  switch (shown.kind) {
    case "pdf":
      return <PdfFrame blob={shown.blob} title={text.previewPdf(visible(name))} />;
    case "page":
      return <PageFrame blob={shown.blob} title={text.previewPdf(visible(name))} />;
    case "image":
      return <Picture blob={shown.blob} title={text.previewImage(visible(name))} />;
    case "text":
    case "table":
      return (
        <>
          {(shown.isCut || shown.text.length > MOST_TEXT) && <p class="muted">{text.previewCut(formatSize(MOST_TEXT))}</p>}
          <pre class="preview-text" tabIndex={0} aria-label={visible(name)}>
            {visibleText(shown.text.slice(0, MOST_TEXT))}
          </pre>
        </>
      );
    case "failed":
      return <p class="bad breaks">{visible(shown.reason)}</p>;
    case "loading":
      return <p class="muted">{text.previewLoading}</p>;
    case "notText":
      return <p class="muted">{text.previewBinary}</p>;
    case "empty":
      return <p class="muted">{text.previewEmpty}</p>;
    case "none":
      return <p class="muted">{text.previewUnknown(visible(extension))}</p>;
    default:
      return <p class="muted">{text.previewTooLarge}</p>;
  }
}
