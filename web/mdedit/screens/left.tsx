/** On the left: the documents of the place as a tree, and the headings of the one that is open. */
import { computed, signal } from "@preact/signals";
import type { JSX } from "preact";
import type { Entry } from "../../shared/files";
import { parseFilename } from "../../shared/naming";
import { leftOpen } from "../../shared/folderShell";
import { setFragment } from "../../shared/shell";
import { visible } from "../../shared/visible";
import { goToLine } from "../editor/view";
import { isMarkdown } from "../model/names";
import { openDocument } from "../opening";
import { showLine } from "../preview/pane";
import { cursorLine, current, currentPath, documents, entries, filter, folderOf, headings, mode, nameOf, place, reading, unsaved } from "../state";
import { text } from "../text";

const MOST_ROWS = 600;

/** Folders that are open or closed against the rule: the first level, and where the open document is, are open. */
const turned = signal<ReadonlyMap<string, boolean>>(new Map());

const unsavedPaths = computed(() => unsaved.value.map((one) => one.path).sort().join("\n"));
const order = new Intl.Collator("en", { numeric: true });

interface Row {
  readonly path: string;
  readonly name: string;
  readonly depth: number;
  readonly isFolder: boolean;
  readonly isOpen: boolean;
  readonly isNew: boolean;
}

const rows = computed<{ readonly rows: readonly Row[]; readonly left: number }>(() => {
  const listed = entries.value;
  const fresh = [...documents.value.values()].filter((one) => !listed.some((entry) => entry.path === one.path));
  const files = [
    ...listed.filter((one) => !one.isFolder && isMarkdown(one.name)),
    ...fresh.map((one): Entry => ({ path: one.path, name: nameOf(one.path), folder: folderOf(one.path), isFolder: false })),
  ];
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  const isNew = (path: string) => fresh.some((one) => one.path === path);
  if (words.length) {
    const found = files.filter((one) => words.every((word) => one.path.toLowerCase().includes(word)));
    found.sort((one, other) => order.compare(one.path, other.path));
    const shown = found.slice(0, MOST_ROWS).map((one) => ({ path: one.path, name: one.path, depth: 0, isFolder: false, isOpen: false, isNew: isNew(one.path) }));
    return { rows: shown, left: found.length - shown.length };
  }
  // Only folders with a document in or below them.
  const inFolder = new Map<string, { folders: Set<string>; files: Entry[] }>([["", { folders: new Set(), files: [] }]]);
  const folder = (path: string): { folders: Set<string>; files: Entry[] } => {
    const known = inFolder.get(path);
    if (known) return known;
    const made = { folders: new Set<string>(), files: [] };
    inFolder.set(path, made);
    folder(folderOf(path)).folders.add(path);
    return made;
  };
  for (const one of files) folder(one.folder).files.push(one);
  const shown: Row[] = [];
  const at = currentPath.value;
  const add = (path: string, depth: number) => {
    const { folders, files: its } = inFolder.get(path)!;
    for (const below of [...folders].sort((one, other) => order.compare(one, other))) {
      const isOpen = turned.value.get(below) ?? (depth === 0 || at.startsWith(`${below}/`));
      shown.push({ path: below, name: nameOf(below), depth, isFolder: true, isOpen, isNew: false });
      if (isOpen) add(below, depth + 1);
    }
    for (const one of its.sort((a, b) => order.compare(a.name, b.name))) {
      shown.push({ path: one.path, name: one.name, depth, isFolder: false, isOpen: false, isNew: isNew(one.path) });
    }
  };
  add("", 0);
  return { rows: shown.slice(0, MOST_ROWS), left: Math.max(0, shown.length - MOST_ROWS) };
});

const isNarrow = () => matchMedia("(max-width: 800px)").matches;

export function Left(): JSX.Element {
  if (!place.value) return <p class="muted">{text.emptyWays[0]}</p>;
  return (
    <div class="choices">
      <section aria-labelledby="files-head">
        <h2 id="files-head">{text.tree}</h2>
        {reading.value !== null && <p class="muted">{text.reading(reading.value)}</p>}
        <Tree />
      </section>
      {current.value && (
        <section aria-labelledby="outline-head">
          <h2 id="outline-head">{text.outline}</h2>
          <Outline />
        </section>
      )}
    </div>
  );
}

function Tree(): JSX.Element {
  const { rows: shown, left } = rows.value;
  const changed = new Set(unsavedPaths.value.split("\n"));
  if (!shown.length && reading.value === null) return <p class="muted">{text.noDocuments}</p>;
  return (
    <>
      <ul class="tree">
        {shown.map((row) => (
          <li key={`${row.isFolder}${row.path}`} style={{ paddingInlineStart: `${Math.min(row.depth, 10) * 0.8}rem` }}>
            {row.isFolder ? (
              <button
                type="button"
                class="quiet tree-folder"
                aria-expanded={row.isOpen}
                title={visible(row.path)}
                onClick={() => (turned.value = new Map(turned.peek()).set(row.path, !row.isOpen))}
              >
                <span class="tree-name">{visible(row.name)}</span>
              </button>
            ) : (
              <button
                type="button"
                class="quiet"
                aria-current={row.path === currentPath.value ? "true" : undefined}
                title={visible(row.path)}
                onClick={() => {
                  if (isNarrow()) leftOpen.value = false;
                  void openDocument(row.path);
                }}
              >
                <DocumentName name={row.name} />
                {changed.has(row.path) && <span class="badge warn">{row.isNew ? text.isNew : text.unsaved}</span>}
              </button>
            )}
          </li>
        ))}
      </ul>
      {left > 0 && <p class="muted">{text.moreFiles(left)}</p>}
    </>
  );
}

/** By the convention a name begins with a long number; what tells documents apart comes first here. */
function DocumentName({ name }: { name: string }): JSX.Element {
  const read = parseFilename(name);
  if (!read.valid) return <span class="tree-name">{visible(name)}</span>;
  return (
    <span class="tree-name">
      {visible(read.title)}
      <span class="tree-number">{`${visible(read.trackingNumber)} · ${visible(read.revision)} · ${read.status}`}</span>
    </span>
  );
}

const headingAt = computed(() => headings.value.findLastIndex((one) => one.line <= cursorLine.value));

function Outline(): JSX.Element {
  const all = headings.value;
  if (!all.length) return <p class="muted">{text.outlineEmpty}</p>;
  const top = Math.min(...all.map((one) => one.level));
  return (
    <ul class="tree">
      {all.slice(0, MOST_ROWS).map((one, n) => (
        <li key={n} style={{ paddingInlineStart: `${(one.level - top) * 0.8}rem` }}>
          <button
            type="button"
            class="quiet"
            aria-current={n === headingAt.value ? "location" : undefined}
            title={visible(one.title)}
            onClick={() => {
              if (isNarrow()) leftOpen.value = false;
              goToLine(one.line, mode.peek() !== "preview");
              showLine(one.line);
            }}
          >
            <span class="tree-name">{visible(one.title) || "—"}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}

export function Search(): JSX.Element | null {
  if (!place.value) return null;
  return (
    <input
      type="search"
      data-search
      aria-label={text.filter}
      placeholder={text.filterHint}
      value={filter.value}
      spellcheck={false}
      onFocus={() => (leftOpen.value ||= !isNarrow())}
      onInput={(event) => setFragment({ q: event.currentTarget.value || null })}
      onKeyDown={(event) => {
        const first = rows.peek().rows.find((row) => !row.isFolder);
        if (event.key !== "Enter" || !first) return;
        event.preventDefault();
        void openDocument(first.path);
      }}
    />
  );
}
