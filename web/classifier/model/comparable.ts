/** Names that a file system may take for one: letter case and Unicode normalisation aside. */
import { caseFold } from "../../shared/pythonText";

/** Return what is equal for all names that a file system may take for one; mirrors `zddc.renaming.comparable`. */
export function comparable(name: string): string {
  if (/^[\0-\x7f]*$/.test(name)) return name.toLowerCase();
  return caseFold(name.normalize("NFD")).normalize("NFD");
}
