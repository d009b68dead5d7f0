/** What was sent for review and never came back. */

import { compareCodePoints } from "../../shared/pythonText";
import { compareRevisions, parseRevision } from "../../shared/revision";
import { addDays, daysBetween } from "./expected";
import type { Archive, Document, FileRow, Revision, Transmittal } from "./types";

export const DAYS_TO_ANSWER = 14;

/** Statuses that ask for an answer, and those that are one. */
const ASKS: ReadonlySet<string> = new Set(["IFA", "IFR"]);
const ANSWERS: ReadonlySet<string> = new Set(["RSA", "RSB", "RSC", "RSD", "RSI"]);

/** A revision that waits for an answer. */
export interface DueRow {
  readonly trackingNumber: string;
  readonly title: string;
  readonly revision: string;
  readonly status: string;
  readonly party: string;
  /** "received": the answer is ours to give; "issued": it is the party's. */
  readonly direction: "received" | "issued";
  readonly sent: string;
  readonly due: string;
  /** Below 0 where the day has passed. */
  readonly daysLeft: number;
  readonly transmittal: string;
  readonly file: FileRow;
}

/**
 * Returns what waits for an answer on a day, the most urgent first.
 *
 * A revision that came in a received transmittal for review or approval waits for ours; one that we issued waits for the
 * party's. The answer is a file of a status RSA to RSI in the other direction, on the same day or later: of the same
 * document, with the revision itself, a modifier of it or a newer one; or a transmittal with the number of the one that
 * brought it. A newer revision of the document that came the same way makes the older one wait no more.
 *
 * What was sent or answered after that day does not count yet. `daysToAnswer` counts from the date of the transmittal. `dueOf` gives the day that a transmittal itself asks for.
 */
export function listDue(
  archive: Archive,
  today: string,
  daysToAnswer: number = DAYS_TO_ANSWER,
  dueOf: (transmittalFolder: string) => string | undefined = () => undefined,
): DueRow[] {
  const answered = answeredTransmittals(archive.transmittals).filter((one) => one.date <= today);
  const rows: DueRow[] = [];
  for (const document of archive.documents) {
    for (const direction of ["received", "issued"] as const) {
      for (const [party, file, revision] of asked(document, direction, today)) {
        const back = direction === "received" ? "issued" : "received";
        if (hasAnswer(document, revision, back, party, file.date, today)) continue;
        if (answered.some((one) => one.kind === back && one.number === file.transmittal && one.party === party && one.date >= file.date)) continue;
        const due = dueOf(file.place.transmittalFolder) ?? addDays(file.date, daysToAnswer);
        rows.push({
          trackingNumber: document.trackingNumber,
          title: file.title,
          revision: revision.text,
          status: file.status,
          party,
          direction,
          sent: file.date,
          due,
          daysLeft: daysBetween(today, due),
          transmittal: file.transmittal,
          file,
        });
      }
    }
  }
  return rows.sort(
    (one, other) =>
      one.daysLeft - other.daysLeft ||
      compareCodePoints(one.party, other.party) ||
      compareCodePoints(one.trackingNumber, other.trackingNumber),
  );
}

/** The newest revision that was sent one way to or by each party, where it asks for an answer. */
function* asked(document: Document, direction: "received" | "issued", today: string): Generator<[string, FileRow, Revision]> {
  const seen = new Set<string>();
  for (const revision of document.revisions) {
    if (!revision.isFinalBase) continue;
    for (const copy of revision.copies) {
      if (copy.kind !== direction || !copy.date || copy.date > today || seen.has(copy.party)) continue;
      seen.add(copy.party);
      if (ASKS.has(copy.status)) yield [copy.party, copy, revision];
    }
  }
}

function hasAnswer(document: Document, asked: Revision, kind: string, party: string, since: string, today: string): boolean {
  return document.revisions.some((revision) => {
    const isOfIt = parseRevision(revision.text).base === asked.text || compareRevisions(revision.text, asked.text) >= 0;
    return (
      isOfIt &&
      !revision.isDraft &&
      revision.copies.some(
        (copy) => copy.kind === kind && copy.party === party && ANSWERS.has(copy.status) && (!copy.date || (copy.date >= since && copy.date <= today)),
      )
    );
  });
}

interface Answered {
  readonly number: string;
  readonly kind: string;
  readonly party: string;
  readonly date: string;
}

/** Transmittals that are an answer by themselves: they have a status RSA to RSI. */
function answeredTransmittals(transmittals: readonly Transmittal[]): Answered[] {
  return transmittals
    .filter((one) => ANSWERS.has(one.status))
    .map(({ trackingNumber, kind, party, date }) => ({ number: trackingNumber, kind, party, date }));
}

/** Returns the rows of one party as the text of a mail. */
export function mailText(rows: readonly DueRow[], words: (row: DueRow) => string): string {
  return rows.map((row) => `- ${row.trackingNumber} ${row.revision} (${row.status}) - ${row.title}: ${words(row)}`).join("\n");
}
