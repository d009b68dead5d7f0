/** A document on the right: the time line of its revisions and their copies, and the preview of one of them. */
import { useSignal, type Signal } from "@preact/signals";
import type { JSX } from "preact";
import { hashFile } from "../../shared/hashing";
import { PlaceError } from "../../shared/files";
import { reasonOf } from "../../shared/files/place";
import { addProblem, copyText, formatSize, formatTime, setFragment, showToast } from "../../shared/shell";
import { download } from "../../shared/save";
import { STATUSES } from "../../shared/statuses";
import { visible } from "../../shared/visible";
import { detailOf, tell } from "../loading";
import type { Archive, Document, FileRow, Revision } from "../model/types";
import { archive, goTo, openedDocument, openedFile, place } from "../state";
import { text } from "../text";
import { FilePreview } from "./preview";

/** What the right region shows. */
export function Detail(): JSX.Element | null {
  const known = archive.value;
  if (!known) return null;
  const number = openedDocument.value;
  const document = known.byTrackingNumber.get(number);
  const file = fileOf(known, openedFile.value) ?? (document ? bestCopy(document.current) : undefined);
  return (
    <div class="detail">
      {document ? (
        <DocumentView key={number} document={document} shown={file} />
      ) : (
        number && !file && <p>{text.detail.notFound(visible(number))}</p>
      )}
      {file && <FileView key={file.path} file={file} hasDocument={document !== undefined} />}
    </div>
  );
}

function fileOf(known: Archive, path: string): FileRow | undefined {
  return path ? known.files.find((file) => file.path === path) : undefined;
}

const PREFERRED = ["pdf", "html", "png", "jpg", "svg", "md", "txt", "csv"];

/** The copy that a person most likely wants to see. */
export function bestCopy(revision: Revision): FileRow {
  const rank = (file: FileRow) => {
    const at = PREFERRED.indexOf(file.extension);
    return at < 0 ? PREFERRED.length : at;
  };
  return revision.copies.reduce((best, copy) => (rank(copy) < rank(best) ? copy : best));
}

function DocumentView({ document, shown }: { document: Document; shown: FileRow | undefined }): JSX.Element {
  const hashes = useSignal<ReadonlyMap<string, string>>(new Map());
  const isHashing = useSignal(false);
  const copies = document.revisions.flatMap((revision) => revision.copies);
  const base = place.value;
  return (
    <section aria-labelledby="document-number">
      <h2 id="document-number" class="detail-head">
        <span class="mono">{visible(document.trackingNumber)}</span> {visible(document.longestTitle)}
      </h2>
      <div class="buttons no-print">
        {base?.kind === "server" && base.address && (
          <a class="button" href={`${base.address(".archive/")}${encodeURIComponent(document.trackingNumber)}.html`}>
            {text.detail.permalink}
          </a>
        )}
        {document.revisions.length > 1 && (
          <button type="button" onClick={() => goTo("compare", { doc: document.trackingNumber })}>
            {text.detail.compare}
          </button>
        )}
        <button type="button" disabled={isHashing.value} onClick={() => void hashCopies(copies, hashes, isHashing)}>
          {text.detail.hashes}
        </button>
      </div>
      <ol class="time-line" aria-label={text.detail.revisions}>
        {document.revisions.map((revision) => (
          <RevisionView key={revision.text} document={document} revision={revision} shown={shown} hashes={hashes.value} />
        ))}
      </ol>
    </section>
  );
}

interface RevisionProps {
  readonly document: Document;
  readonly revision: Revision;
  readonly shown: FileRow | undefined;
  readonly hashes: ReadonlyMap<string, string>;
}

function RevisionView({ document, revision, shown, hashes }: RevisionProps): JSX.Element {
  const isCurrent = revision === document.current;
  const status = revision.copies[0]!.status;
  return (
    <li class={isCurrent ? "is-current" : ""}>
      <div class="revision-head">
        <Chip revision={revision} /> <abbr title={STATUSES.get(status) ?? ""}>{visible(status)}</abbr>
        {isCurrent ? (
          <span class="badge good">{text.detail.current}</span>
        ) : (
          revision.isDraft && <span class="badge warn">{text.detail.draft}</span>
        )}
      </div>
      <ul aria-label={text.detail.copies}>
        {revision.copies.map((copy) => (
          <CopyView key={copy.path} copy={copy} isShown={copy === shown} hash={hashes.get(copy.path)} first={firstHash(revision, copy, hashes)} />
        ))}
      </ul>
    </li>
  );
}

/** The hash of the first copy of the same kind of file, where both are known. */
function firstHash(revision: Revision, copy: FileRow, hashes: ReadonlyMap<string, string>): string | undefined {
  const first = revision.copies.find((one) => one.extension === copy.extension)!;
  return first === copy ? undefined : hashes.get(first.path);
}

interface CopyProps {
  readonly copy: FileRow;
  readonly isShown: boolean;
  readonly hash: string | undefined;
  readonly first: string | undefined;
}

function CopyView({ copy, isShown, hash, first }: CopyProps): JSX.Element {
  const { transmittal } = copy.place;
  const where = [copy.kind, transmittal?.trackingNumber ?? text.detail.nowhere, copy.party].filter(Boolean).join(" · ");
  return (
    <li>
      <button
        type="button"
        class="quiet copy"
        aria-current={isShown ? "true" : undefined}
        title={visible(copy.path)}
        onClick={() => setFragment({ file: copy.path })}
      >
        <span class="badge">{visible(copy.extension)}</span>
        <span>{copy.date || text.detail.undated}</span>
        <span class="muted">{visible(where)}</span>
      </button>
      {hash && <Hash value={hash} />}
      {hash && first && (
        <p class={hash === first ? "good" : "bad"}>{hash === first ? text.detail.same : text.detail.other}</p>
      )}
    </li>
  );
}

export function Chip({ revision }: { revision: Revision }): JSX.Element {
  return <span class={chipClass(revision)}>{visible(revision.text)}</span>;
}

export function chipClass(revision: Pick<Revision, "isDraft" | "modifier" | "text">): string {
  const isDraft = revision.isDraft || revision.text.includes("+~");
  return `chip revision${isDraft ? " is-draft" : ""}${revision.modifier ? " is-modified" : ""}`;
}

function Hash({ value }: { value: string }): JSX.Element {
  return (
    <button type="button" class="quiet hash mono" title={text.detail.hash} onClick={() => void copyText(value)}>
      {value}
    </button>
  );
}

async function hashCopies(
  copies: readonly FileRow[],
  hashes: Signal<ReadonlyMap<string, string>>,
  isHashing: Signal<boolean>,
): Promise<void> {
  const base = place.peek();
  if (!base) return;
  isHashing.value = true;
  for (const copy of copies) {
    const sha256 = await hashOf(copy.path);
    if (sha256) hashes.value = new Map(hashes.peek()).set(copy.path, sha256);
  }
  isHashing.value = false;
}

/** Return the hash of a file of the open place; null where it cannot be read, which is told. */
async function hashOf(path: string): Promise<string | null> {
  const base = place.peek();
  if (!base) return null;
  try {
    return (await hashFile(base, path)).sha256;
  } catch (error) {
    failed(error, path);
    return null;
  }
}

function failed(error: unknown, path: string): void {
  const base = place.peek();
  const isOfThePlace = error instanceof PlaceError && (error.kind === "permission" || error.kind === "signedOut");
  if (isOfThePlace && base) tell(error, base);
  else addProblem(path, reasonOf(error));
}

function FileView({ file, hasDocument }: { file: FileRow; hasDocument: boolean }): JSX.Element {
  const again = useSignal(0);
  const sha256 = useSignal("");
  void again.value;
  const base = place.value;
  const detail = detailOf(file, () => (again.value += 1));
  const facts = [detail && formatSize(detail.size), detail && formatTime(detail.modified)].filter(Boolean).join(" · ");
  return (
    <section class="file" aria-labelledby="file-name">
      {hasDocument ? <h3 id="file-name" class="breaks">{visible(file.name)}</h3> : <h2 id="file-name" class="detail-head breaks">{visible(file.name)}</h2>}
      <p class="muted breaks">{[visible(file.folder), facts].filter(Boolean).join(" · ")}</p>
      <div class="buttons no-print">
        <button type="button" onClick={() => void saveCopy(file)}>
          {text.detail.save}
        </button>
        {base?.address && (
          <a class="button" href={base.address(file.path)} target="_blank" rel="noopener noreferrer">
            {text.detail.openInTab}
          </a>
        )}
        <button type="button" onClick={() => void copyText(file.path)}>
          {text.detail.copyPath}
        </button>
        <button type="button" onClick={() => void hashOf(file.path).then((value) => (sha256.value = value ?? ""))}>
          {text.detail.hash}
        </button>
      </div>
      {sha256.value && <Hash value={sha256.value} />}
      <FilePreview path={file.path} name={file.name} extension={extensionOf(file)} />
    </section>
  );
}

function extensionOf(file: FileRow): string {
  if (file.extension) return file.extension;
  const dot = file.name.lastIndexOf(".");
  return dot < 0 ? "" : file.name.slice(dot + 1).toLowerCase();
}

async function saveCopy(file: FileRow): Promise<void> {
  try {
    const opened = await place.peek()!.open(file.path);
    // Without a type of its own, so that the browser keeps the name as it is.
    download(file.name, opened.slice(0, opened.size, "application/octet-stream"));
    showToast(text.exports.done(file.name, formatSize(opened.size)));
  } catch (error) {
    failed(error, file.path);
  }
}
