/** The sheet: what is read from the name of each file, what is typed over it, and every edit with its undoing. */
import { folderOf, nameOf } from "../../shared/files/place";
import { parseFilename } from "../../shared/naming";
import { FIELDS, type Column, type Field, type Fields, isField, tidy } from "./columns";

/** A file as it was found. */
export interface Found {
  path: string;
  size: number | null;
  /** In milliseconds since 1970. */
  modified: number | null;
}

/** A row of the sheet: a file, and what is typed for it. */
export interface Row {
  /** Changes when the file is renamed; the place of the row in the sheet never does. */
  path: string;
  name: string;
  folder: string;
  size: number | null;
  modified: number | null;
  /** What the name says; grey on the screen. */
  read: Fields;
  /** What is typed over it; black on the screen. */
  typed: Partial<Fields>;
}

/** One field of a row becomes a value; null is what is read from the name. */
export interface Change {
  row: number;
  field: Field;
  value: string | null;
}

interface Edit {
  label: string;
  changes: { row: number; field: Field; before: string | undefined; after: string | undefined }[];
}

/** What stands for a part of a new name that is not known yet. */
export const MISSING = "?";

export class Sheet {
  readonly rows: Row[];
  readonly #done: Edit[] = [];
  readonly #undone: Edit[] = [];
  /** By row: its new name, where it was asked for since the row changed. */
  readonly #newNames: (string | undefined)[] = [];

  /** What is typed in `before` for a file of the same path is typed in this one. */
  constructor(found: readonly Found[], before?: Sheet) {
    const typed = new Map(before?.typedRows().map((row) => [row.path, row.typed]));
    this.rows = found.map((file) => ({
      ...readRow(file.path),
      size: file.size,
      modified: file.modified,
      typed: { ...typed.get(file.path) },
    }));
  }

  /** Return the rows for which something is typed. */
  typedRows(): Row[] {
    return this.rows.filter((row) => Object.keys(row.typed).length);
  }

  row(number: number): Row {
    const row = this.rows[number];
    if (!row) throw new RangeError(`row ${number} of ${this.rows.length}`);
    return row;
  }

  value(number: number, field: Field): string {
    const row = this.row(number);
    return row.typed[field] ?? row.read[field];
  }

  isTyped(number: number, field: Field): boolean {
    return this.row(number).typed[field] !== undefined;
  }

  /** Return the five fields as they stand. */
  fields(number: number): Fields {
    const row = this.row(number);
    return { ...row.read, ...row.typed };
  }

  /** Return the text of a cell; that of a verdict is kept elsewhere. */
  text(number: number, column: Column): string {
    if (isField(column)) return this.value(number, column);
    return column === "original" ? this.row(number).name : column === "newName" ? this.newName(number) : "";
  }

  isChanged(number: number): boolean {
    return this.newName(number) !== this.row(number).name;
  }

  /** Return the name that the fields make; the name that it has where nothing is typed. */
  newName(number: number): string {
    return (this.#newNames[number] ??= this.#makeName(number));
  }

  #makeName(number: number): string {
    const row = this.row(number);
    if (FIELDS.every((field) => row.typed[field] === undefined)) return row.name;
    const part = (field: Field) => (row.typed[field] ?? row.read[field]) || MISSING;
    return `${part("tracking")}_${part("revision")} (${part("status")}) - ${part("title")}.${part("extension")}`;
  }

  /** Return the first field without a value, null if all have one. */
  missing(number: number): Field | null {
    return FIELDS.find((field) => !this.value(number, field)) ?? null;
  }

  /** The edit that undo would take back; only good to be compared. */
  get lastEdit(): object | null {
    return this.#done.at(-1) ?? null;
  }

  get undoLabel(): string | null {
    return this.#done.at(-1)?.label ?? null;
  }

  get redoLabel(): string | null {
    return this.#undone.at(-1)?.label ?? null;
  }

  /** Make changes as one edit, which one undo takes back; return the rows that it changed. */
  edit(label: string, changes: readonly Change[]): number[] {
    const edit: Edit = { label, changes: [] };
    for (const { row, field, value } of changes) {
      const before = this.row(row).typed[field];
      // No field can be empty: an empty cell means what the name says.
      const after = value === null ? undefined : tidy(value) || undefined;
      if (after === before) continue;
      edit.changes.push({ row, field, before, after });
      this.#setTyped(row, field, after);
    }
    if (!edit.changes.length) return [];
    this.#done.push(edit);
    this.#undone.length = 0;
    return rowsOf(edit);
  }

  undo(): number[] {
    const edit = this.#done.pop();
    if (!edit) return [];
    for (const { row, field, before } of edit.changes.toReversed()) this.#setTyped(row, field, before);
    this.#undone.push(edit);
    return rowsOf(edit);
  }

  redo(): number[] {
    const edit = this.#undone.pop();
    if (!edit) return [];
    for (const { row, field, after } of edit.changes) this.#setTyped(row, field, after);
    this.#done.push(edit);
    return rowsOf(edit);
  }

  #setTyped(number: number, field: Field, value: string | undefined): void {
    const { typed } = this.row(number);
    if (value === undefined) delete typed[field];
    else typed[field] = value;
    this.#newNames[number] = undefined;
  }

  /** The file of a row has another name now: what is typed is read from it, or is typed again. */
  renamed(number: number, path: string, typed: Partial<Fields> = {}): void {
    const row = this.row(number);
    Object.assign(row, readRow(path), { typed: { ...typed } });
    this.#newNames[number] = undefined;
  }

  /** The edits so far belong to names that the files no longer have: they cannot be undone any more. */
  forgetEdits(): void {
    this.#done.length = 0;
    this.#undone.length = 0;
  }
}

function readRow(path: string): Pick<Row, "path" | "name" | "folder" | "read"> {
  const name = nameOf(path);
  return { path, name, folder: folderOf(path), read: readFields(name) };
}

/** Return the five fields of a name; if it has not the shape of one, its stem is the title. */
export function readFields(name: string): Fields {
  const parsed = parseFilename(name);
  return {
    tracking: parsed.trackingNumber,
    revision: parsed.revision,
    status: parsed.status,
    title: parsed.title,
    extension: parsed.extensionAsWritten,
  };
}

function rowsOf(edit: Edit): number[] {
  return [...new Set(edit.changes.map((change) => change.row))];
}
