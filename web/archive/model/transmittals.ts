/** The transmittals of an archive, and what lies outside of every transmittal. */

import { compareCodePoints } from "../../shared/pythonText";
import { placeOf } from "./places";
import type { Archive, FileRow, Kind, Transmittal } from "./types";

/** Returns the transmittals, the newest first, and then each folder with files in no transmittal. */
export function listTransmittals(files: readonly FileRow[]): Transmittal[] {
  const byFolder = new Map<string, FileRow[]>();
  const outstanding = new Map<string, FileRow[]>();
  const zips: FileRow[] = [];
  for (const file of files) {
    const folder = file.place.transmittalFolder;
    if (folder) add(byFolder, folder, file);
    else if (file.isZippedTransmittal) zips.push(file);
    else add(outstanding, file.folder, file);
  }
  const found = [...byFolder].map(([folder, held]) => transmittalOf(folder, held, false));
  // A zip whose files are listed as well is that transmittal, and not another one.
  for (const zip of zips) if (!byFolder.has(zip.path)) found.push(transmittalOf(zip.path, [zip], true));
  found.sort((one, other) => compareCodePoints(other.date, one.date) || compareCodePoints(one.folder, other.folder));
  const outside = [...outstanding].sort(([one], [other]) => compareCodePoints(one, other));
  return [...found, ...outside.map(([folder, held]) => outstandingIn(folder, held))];
}

function add(groups: Map<string, FileRow[]>, key: string, file: FileRow): void {
  const known = groups.get(key);
  if (known) known.push(file);
  else groups.set(key, [file]);
}

function transmittalOf(folder: string, files: readonly FileRow[], isZip: boolean): Transmittal {
  const { party, kind, transmittal } = isZip ? placeOf(folder) : files[0]!.place;
  const { date = "", trackingNumber = "", status = "", title = "" } = transmittal ?? {};
  return { folder, isOutstanding: false, isZip, party, kind, date, trackingNumber, status, title, files };
}

function outstandingIn(folder: string, files: readonly FileRow[]): Transmittal {
  const { party, kind } = files[0]!.place;
  const nothing = { date: "", trackingNumber: "", status: "", title: "" };
  return { folder, isOutstanding: true, isZip: false, party, kind, ...nothing, files };
}

/** Which transmittals are wanted: the kinds that are shown at first are received and issued. */
export interface TransmittalChoice {
  readonly kinds: ReadonlySet<Kind>;
  readonly parties: ReadonlySet<string> | null;
}

export const USUAL_KINDS: ReadonlySet<Kind> = new Set<Kind>(["received", "issued", ""]);

/** Transmittals of one month of one party, the newest first. */
export interface Month {
  /** YYYY-MM; empty for "Outstanding". */
  readonly month: string;
  readonly transmittals: readonly Transmittal[];
}

export interface PartyTransmittals {
  readonly party: string;
  readonly months: readonly Month[];
}

/** Returns the wanted transmittals by party and month; "Outstanding" stands last in each party. */
export function groupTransmittals(archive: Archive, choice: TransmittalChoice): PartyTransmittals[] {
  const byParty = new Map<string, Map<string, Transmittal[]>>();
  for (const one of archive.transmittals) {
    if (!choice.kinds.has(one.kind) || (choice.parties && !choice.parties.has(one.party))) continue;
    let months = byParty.get(one.party);
    if (!months) byParty.set(one.party, (months = new Map()));
    const month = one.date.slice(0, 7);
    const known = months.get(month);
    if (known) known.push(one);
    else months.set(month, [one]);
  }
  return [...byParty]
    .sort(([one], [other]) => Number(!one) - Number(!other) || compareCodePoints(one, other))
    .map(([party, months]) => ({
      party,
      months: [...months].map(([month, transmittals]) => ({ month, transmittals })),
    }));
}

/**
 * Returns the transmittal's own document: the HTML page whose tracking number is that of the folder, the one with the
 * folder's date as its revision first; null where there is none.
 */
export function documentOf(transmittal: Transmittal): FileRow | null {
  const own = transmittal.files.filter(
    (file) =>
      file.extension === "html" &&
      file.tracking_number === transmittal.trackingNumber &&
      file.tracking_number !== "" &&
      file.folder === transmittal.folder,
  );
  return own.find((file) => file.revision === transmittal.date) ?? own[0] ?? null;
}
