/**
 * The one way to files: a place is a folder on disk, a folder of a server, an index, a zip, or what was picked.
 *
 * Every page works on a Place only; where the files come from makes no difference to it.
 */
export { fromDrop, fromDirectory, fromPicker, canPick } from "./files/handles";
export { fromInput } from "./files/input";
export { fromServer } from "./files/server";
export { formatIndex, fromIndex, parseIndex } from "./files/indexFile";
export { fromZip } from "./files/zip";
export { PlaceError, readBytes, readText } from "./files/place";
export type { Entry, ListOptions, Place, PlaceErrorKind } from "./files/place";
