/** Makes the acknowledgement of a transmittal: what came, with the hashes as it came; as src/zddc/transmittal/acknowledgement.py. */

import { ACKNOWLEDGEMENT, fileName } from "./checks";
import { textOf, type ListedFile, type Transmittal } from "./data";
import { countFindings, type Report } from "./delivery";
import { PRESENTATION } from "./publishing";
import { fingerprintOf, makeEnvelope } from "./signatures";
import { makePayload } from "./writing";

export const TITLE = "Acknowledgement of receipt";
export const PURPOSE = "IFI";
export const LABEL = "Received By";

/** The transmittal that came, as the name of its folder says. */
export interface Received {
  readonly date: string;
  readonly trackingNumber: string;
}

/**
 * Returns the revision of an acknowledgement: supporting document 1 of the transmittal that it is about.
 *
 * With the date of receipt as its revision it would be a newer revision of the transmittal itself, which every link
 * to that would find in its place.
 */
export function revisionOf(received: Received): string {
  return `${received.date}+B1`;
}

/** Returns the acknowledgement of these files, not signed, and its name; `today` is the date here, as YYYY-MM-DD. */
export async function makeAcknowledgement(
  received: Received,
  files: readonly ListedFile[],
  remarks: string,
  parties: { readonly receiver: string; readonly sender: string },
  now: Date,
  today: string,
): Promise<{ transmittal: Transmittal; name: string }> {
  const fields = {
    type: ACKNOWLEDGEMENT,
    subject: TITLE,
    date: today,
    trackingNumber: received.trackingNumber,
    purpose: PURPOSE,
    from: parties.receiver,
    to: parties.sender,
    remarks,
  };
  const naming = { draft: false, revision: revisionOf(received) };
  const payload = makePayload(fields, files, naming);
  const transmittal = { payload, envelope: await makeEnvelope(payload, now), presentation: PRESENTATION };
  return { transmittal, name: fileName(payload, naming) };
}

/** Returns the remarks of an acknowledgement: what came, what it is worth, and why it was taken all the same. */
export function describe(received: Received, report: Report, accepted: string): string {
  const counts = countFindings(report.findings);
  const kinds = ["verified", "changed", "missing", "extra", "moved", "renamed"] as const;
  const { judgements, check } = report.judged;
  return [
    `Received: ${received.trackingNumber} of ${received.date}`,
    `SHA-256 digest of the transmittal: ${check.digest}`,
    `Files: ${kinds.map((kind) => `${kind} ${counts.get(kind)}`).join(", ")}`,
    ...judgements.map((one) => `Signature: ${one.verdict}, ${fingerprintOf(one.signature.thumbprint)}`),
    ...(judgements.length ? [] : ["Signature: none"]),
    ...report.findings.filter((one) => one.kind !== "verified").map((one) => `- ${one.kind}: ${one.path}`),
    ...(accepted ? [`Accepted all the same: ${accepted}`] : []),
  ].join("\n");
}

/** Returns whose transmittal was received, by its own fields. */
export function receivedOf(transmittal: Transmittal): Received {
  return { date: textOf(transmittal.payload, "date"), trackingNumber: textOf(transmittal.payload, "trackingNumber") };
}
