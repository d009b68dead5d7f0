/** In the middle: how to begin, then the document with its name, its text and its preview. */
import { computed } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { canPick } from "../../shared/files";
import { parseFilename } from "../../shared/naming";
import { CLOSE, FOLDER, Icon } from "../../shared/icons";
import { formatDate, formatTime, setFragment } from "../../shared/shell";
import { Start } from "../../shared/start";
import { visible } from "../../shared/visible";
import { dropDraft, restoreDraft } from "../drafting";
import { isMatterFolded, matterOf, toggleMatterFold } from "../editor/markdown";
import { editorView, focusEditor, mountEditor, runInEditor, scrolled, showInEditor, writeInEditor } from "../editor/view";
import { insertKey, OFFERED_KEYS, type OfferedKey } from "../model/frontMatter";
import { issuedName, nextDraftName } from "../model/names";
import { openDocument, pick } from "../opening";
import { drawNow, drawSoon, forgetDrawn, mountPreview, scrollPreview, showPlace } from "../preview/pane";
import { saveUnder } from "../saving";
import { closeDocument } from "../closing";
import { current, documents, entries, isUnsaved, mode, MODES, nameOf, type OpenDocument, place, reading, version, wordCount } from "../state";
import { text } from "../text";
import { openOther } from "../links";
import { openSaveAs } from "./dialogs";

export function Middle(): JSX.Element {
  if (!place.value) return <Empty />;
  const document = current.value;
  return (
    <div class="mdedit">
      <h1 class="visually-hidden">{text.title}</h1>
      {documents.value.size > 1 && <OpenTabs />}
      {document && <NameBar document={document} />}
      {document && <Notices document={document} />}
      {document && <MatterBar document={document} />}
      {!document && <p class="empty">{reading.value === null ? text.nothingOpen : text.reading(reading.value)}</p>}
      <Panes document={document} />
      {document && <Strip document={document} />}
    </div>
  );
}

function Empty(): JSX.Element {
  return (
    <Start words={text}>
      <button type="button" class="primary" autofocus onClick={() => void pick()}>
        <Icon shape={FOLDER} />
        {canPick() ? text.pick : text.pickFiles}
      </button>
    </Start>
  );
}

const tabs = computed(() => {
  void version.value;
  return JSON.stringify([...documents.value.values()].map((one) => [one.path, isUnsaved(one)]));
});

function OpenTabs(): JSX.Element {
  const all = JSON.parse(tabs.value) as [string, boolean][];
  return (
    <nav class="open-tabs" aria-label={text.tree}>
      {all.map(([path, isChanged]) => (
        <button
          key={path}
          type="button"
          aria-current={current.value?.path === path ? "true" : undefined}
          title={visible(path)}
          onClick={() => setFragment({ file: path })}
        >
          {visible(nameOf(path))}
          {isChanged && <span class="dot" role="img" aria-label={text.unsaved} />}
        </button>
      ))}
    </nav>
  );
}

function NameBar({ document }: { document: OpenDocument }): JSX.Element {
  void tabs.value;
  const name = nameOf(document.path);
  const read = parseFilename(name);
  const today = formatDate(Date.now());
  const draft = nextDraftName(name, today);
  const issued = issuedName(name);
  const next = draft ?? issued;
  const isThere = next !== null && entries.value.some((one) => one.name === next && one.folder === document.path.slice(0, -name.length - 1));
  return (
    <div class="name-bar">
      <div class="name">
        {read.valid ? (
          <>
            <span class="name-title">{visible(read.title)}</span>
            <span class="muted name-number">{visible(read.trackingNumber)}</span>
            <span class="badge accent">{visible(read.revision)}</span>
            <span class="badge">{read.status}</span>
          </>
        ) : (
          <span class="name-title" title={text.name.notConform}>{visible(name)}</span>
        )}
        {isUnsaved(document) && <span class="badge warn">{document.disk ? text.unsaved : text.isNew}</span>}
        {!document.read.isEditable && <span class="badge">{text.strip.readOnly}</span>}
      </div>
      <div class="name-buttons">
        {next && document.disk && (
          <button type="button" disabled={isThere} title={isThere ? text.name.taken(next) : text.name.saveUnder(visible(next))} onClick={() => void saveUnder(document, next)}>
            {draft ? text.nextDraftAs(parseFilename(next).revision) : text.issueAs(parseFilename(next).revision)}
          </button>
        )}
        {document.read.isEditable && (
          <button type="button" title={text.actions.saveAs} onClick={() => openSaveAs(document)}>{text.name.edit}</button>
        )}
        <div class="modes" role="group" aria-label={text.modes}>
          {MODES.map((one) => (
            <button key={one} type="button" class={`mode-${one}`} aria-pressed={mode.value === one} onClick={() => setFragment({ view: one })}>
              {text.mode[one]}
            </button>
          ))}
        </div>
        <button type="button" class="quiet" aria-label={text.close} title={text.close} onClick={() => void closeDocument(document)}>
          <Icon shape={CLOSE} />
        </button>
      </div>
    </div>
  );
}

function Notices({ document }: { document: OpenDocument }): JSX.Element {
  void version.value;
  const { encoding, isEditable } = document.read;
  return (
    <>
      {!isEditable && <p class="notice warn">{encoding === "binary" ? text.encoding.binary : text.encoding.wide(encoding)}</p>}
      {isEditable && !place.value?.write && <p class="notice">{text.readOnlyPlace}</p>}
      {document.isChangedElsewhere && <p class="notice warn">{text.changedNotice}</p>}
      {document.draft && (
        <div class="notice warn">
          <span class="grow">
            {text.draft.found(formatTime(document.draft.time))} {document.draft.isMoved && text.draft.moved}
          </span>
          <button type="button" onClick={() => restoreDraft(document)}>{text.draft.restore}</button>
          <button type="button" onClick={() => dropDraft(document)}>{text.draft.drop}</button>
        </div>
      )}
    </>
  );
}

/** Says what a key would have: what the name of the file tells, and today. */
function valueOf(key: OfferedKey, name: string): string {
  const read = parseFilename(name);
  switch (key) {
    case "tracking":
      return read.trackingNumber;
    case "revision":
      return read.revision;
    case "status":
      return read.status;
    case "title":
      return read.title;
    case "date":
      return formatDate(Date.now());
    default:
      return "";
  }
}

const matter = computed(() => {
  void version.value;
  const document = current.value;
  if (!document) return "";
  const found = matterOf(document.state);
  return JSON.stringify([found !== null, found?.keys ?? [], found !== null && isMatterFolded(document.state)]);
});

function MatterBar({ document }: { document: OpenDocument }): JSX.Element | null {
  if (mode.value === "preview" || !matter.value) return null;
  const [isThere, keys, isFolded] = JSON.parse(matter.value) as [boolean, string[], boolean];
  const missing = OFFERED_KEYS.filter((key) => !keys.some((one) => one.toLowerCase() === key));
  const add = (key: OfferedKey) => {
    const whole = document.state.doc.toString();
    const { at, text: insert, valueAt } = insertKey(whole, key, valueOf(key, nameOf(document.path)));
    if (isFolded) runInEditor(toggleMatterFold);
    const line = insert.indexOf("\n", valueAt - at);
    writeInEditor(at, at, insert, at + (line < 0 ? insert.length : line));
    focusEditor();
  };
  if (!document.read.isEditable && !isThere) return null;
  return (
    <div class="matter-bar" role="group" aria-label={text.matter.label}>
      {isThere && (
        <button type="button" class="quiet" aria-expanded={!isFolded} onClick={() => editorView() && runInEditor(toggleMatterFold)}>
          {`${text.matter.label}: ${text.matter.keys(keys.length)}`}
        </button>
      )}
      {!isThere && <span class="muted">{text.matter.addMatter}</span>}
      {document.read.isEditable &&
        missing.map((key) => (
          <button key={key} type="button" class="quiet small" title={text.matter.add(key)} onClick={() => add(key)}>
            {`+ ${key}`}
          </button>
        ))}
    </div>
  );
}

function Panes({ document }: { document: OpenDocument | null }): JSX.Element {
  const host = useRef<HTMLDivElement>(null);
  const pane = useRef<HTMLElement>(null);
  const body = useRef<HTMLElement>(null);
  useLayoutEffect(() => mountEditor(host.current!), []);
  useLayoutEffect(() => mountPreview(pane.current!, body.current!), []);
  useLayoutEffect(() => {
    showInEditor(document);
    if (document) drawSoon(document);
    else forgetDrawn();
  }, [document]);
  useEffect(() => {
    scrolled.current = scrollPreview;
    scrollPreview();
  }, [document, mode.value]);
  const name = document ? visible(nameOf(document.path)) : "";
  return (
    <div class={`panes is-${mode.value}`} hidden={!document}>
      <div class="text-host" ref={host} tabIndex={-1} />
      <section class="preview-pane" ref={pane} tabIndex={0} aria-label={text.preview(name)}>
        <article
          class="preview-body"
          ref={body}
          onClick={(event) => {
            const link = event.target instanceof Element ? event.target.closest("a") : null;
            if (link && document) followLink(event, link);
          }}
        />
      </section>
    </div>
  );
}

/** Links within the folder open on this page; others are the browser's. */
function followLink(event: MouseEvent, link: HTMLAnchorElement): void {
  const { path, inside } = link.dataset;
  if (path === undefined && inside === undefined) return;
  event.preventDefault();
  if (path === undefined) {
    if (inside) showPlace(inside);
    return;
  }
  void openOther(path).then(async (isDocument) => {
    if (!isDocument) return;
    const opened = await openDocument(path);
    if (!inside || !opened) return;
    setTimeout(() => {
      drawNow(opened);
      showPlace(inside);
    }, 50);
  });
}

const strip = computed(() => {
  void version.value;
  const document = current.value;
  if (!document) return null;
  const { state } = document;
  const { head } = state.selection.main;
  const line = state.doc.lineAt(head);
  return { line: line.number, column: head - line.from + 1 };
});

function Strip({ document }: { document: OpenDocument }): JSX.Element {
  const { encoding, hasMark, lineEnd, odd } = document.read;
  const ends = text.strip.lineEnd[lineEnd] ?? "";
  return (
    <div class="strip" role="group" aria-label={text.strip.label}>
      <span>{text.strip.at(strip.value?.line ?? 1, strip.value?.column ?? 1)}</span>
      <span>{text.strip.words(wordCount.value)}</span>
      <span class="grow" />
      {document.savedAt !== null && <span>{text.strip.saved(formatTime(document.savedAt))}</span>}
      <span>{`${encoding}${hasMark ? ` ${text.strip.mark}` : ""}`}</span>
      <span class={odd.length ? "warn" : ""}>{odd.length ? text.strip.mixed(odd.length, ends) : ends}</span>
    </div>
  );
}
