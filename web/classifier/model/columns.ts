/** The columns of the sheet, and the five fields that a file name is made of. */

export const FIELDS = ["tracking", "revision", "status", "title", "extension"] as const;
export type Field = (typeof FIELDS)[number];
export type Fields = Record<Field, string>;

/** In the order of the screen. The name that a file has and the verdict are read-only; the new name is split. */
export const COLUMNS = ["original", ...FIELDS, "newName", "verdict"] as const;
export type Column = (typeof COLUMNS)[number];

export const NO_FIELDS: Readonly<Fields> = Object.freeze({
  tracking: "",
  revision: "",
  status: "",
  title: "",
  extension: "",
});

export function isField(column: string): column is Field {
  return (FIELDS as readonly string[]).includes(column);
}

/** Whether something can be typed into a column. */
export function isEditable(column: Column): boolean {
  return isField(column) || column === "newName";
}

/**
 * Return a value as the sheet keeps it: without white space around it, a line break or tab in it being one blank.
 *
 * No field of a name begins or ends with white space or holds a line break, and cells of a spreadsheet often do.
 */
export function tidy(value: string): string {
  return value.replace(/\s*[\t\n\v\f\r\u0085\u2028\u2029]\s*/g, " ").trim();
}
