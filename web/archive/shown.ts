/** What the choices and the filter let through, in order and groups, each computed only where it is shown. */
import { computed, type ReadonlySignal } from "@preact/signals";
import { FilterError, parseFilter } from "../shared/filters";
import { fragment, setFragment } from "../shared/shell";
import type { FileColumn, FileRow, Group, RegisterRow, Selection, Sort } from "./model/types";
import { EVERYTHING, fileList, register, selectFiles } from "./model/view";
import { archive, chosen, chosenOnly, currentOnly, extensions, grouping, kinds, modifiers, parties, query } from "./state";

const FILE_COLUMNS: readonly FileColumn[] = [
  "tracking_number", "title", "revision", "status", "extension", "name", "folder", "party", "transmittal", "date", "kind",
  "path", "size", "modified", "sha256",
];
const REGISTER_COLUMNS: readonly FileColumn[] = ["tracking_number", "title", "revision", "status", "date", "party", "extension"];

let lastGood = "";

/** The filter that can be read: what is typed, else what could be read before it. */
const read: ReadonlySignal<{ readonly expression: string; readonly error: FilterError | null }> = computed(() => {
  try {
    parseFilter(query.value);
  } catch (error) {
    if (!(error instanceof FilterError)) throw error;
    return { expression: lastGood, error };
  }
  lastGood = query.value;
  return { expression: lastGood, error: null };
});

/** What is wrong with the filter as it was typed; null where nothing is. */
export const filterError: ReadonlySignal<FilterError | null> = computed(() => read.value.error);

const selection: ReadonlySignal<Selection> = computed(() => ({
  ...EVERYTHING,
  query: read.value.expression,
  modifiers: modifiers.value,
  kinds: kinds.value,
  parties: parties.value,
  extensions: extensions.value,
  currentOnly: currentOnly.value,
  only: chosenOnly.value ? chosen.value : null,
}));

/** The files that are wanted, in the order of the archive. */
export const shownFiles: ReadonlySignal<readonly FileRow[]> = computed(() =>
  archive.value ? selectFiles(archive.value, selection.value) : [],
);

const sort = (columns: readonly FileColumn[]): ReadonlySignal<Sort | null> =>
  computed(() => {
    const text = fragment.value.get("sort") ?? "";
    const descending = text.startsWith("-");
    const column = text.slice(Number(descending)) as FileColumn;
    return columns.includes(column) ? { column, descending } : null;
  });

const sortOfRegister = sort(REGISTER_COLUMNS);
const sortOfFiles = sort(FILE_COLUMNS);
/** For the heads of the tables. */
export const registerSort = computed(() => sortOfRegister.value ?? { column: "tracking_number", descending: false });
export const fileSort = computed(() => sortOfFiles.value ?? { column: "name", descending: false });

export const registerGroups: ReadonlySignal<readonly Group<RegisterRow>[]> = computed(() =>
  archive.value ? register(archive.value, shownFiles.value, sortOfRegister.value, grouping.value) : [],
);
export const fileGroups: ReadonlySignal<readonly Group<FileRow>[]> = computed(() =>
  archive.value ? fileList(archive.value, shownFiles.value, sortOfFiles.value, grouping.value) : [],
);

/** Sort by a column; by the one that the list is sorted by already, the other way round. */
export function sortBy(column: string): void {
  const before = fragment.peek().get("sort") ?? "";
  setFragment({ sort: before === column ? `-${column}` : column });
}
