/** The sheet follows what was renamed on disk. */
import { folderOf, nameOf } from "../../shared/files/place";
import type { Fields } from "./columns";
import type { Sheet } from "./sheet";

/** By folder: every name in it. */
export type Names = Map<string, Set<string>>;

/**
 * Give rows the paths that their files have now; return the rows.
 *
 * `moved` has the new path of each old one. What was typed for a row comes back from `typed`, by its old path; all else
 * that was typed for it is in its name now.
 */
export function followRenames(
  { sheet, names }: { readonly sheet: Sheet; readonly names: Names },
  moved: ReadonlyMap<string, string>,
  typed: ReadonlyMap<string, Partial<Fields>> = new Map(),
): number[] {
  const rows = new Map(sheet.rows.map((row, number) => [row.path, number]));
  // A file may get a name that another one gives up: first all old names go, then all new ones come.
  const found = [...moved].flatMap(([from, to]) => {
    const row = rows.get(from);
    return row === undefined ? [] : [{ row, from, to }];
  });
  for (const { from } of found) names.get(folderOf(from))?.delete(nameOf(from));
  for (const { row, from, to } of found) {
    names.get(folderOf(to))?.add(nameOf(to));
    sheet.renamed(row, to, typed.get(from));
  }
  if (found.length) sheet.forgetEdits();
  return found.map(({ row }) => row);
}
