/** What a person reads of a transmittal: header, remarks, files, signatures; as `_form` of src/zddc/transmittal/page.py. */

import { filesOf, placeOfFile, signaturesOf, stateOf, textOf, type TextField, type Transmittal } from "./data";

const LABELS: readonly (readonly [TextField, string])[] = [
  ["type", "Type"],
  ["trackingNumber", "Number"],
  ["date", "Date"],
  ["from", "From"],
  ["to", "To"],
  ["purpose", "Purpose"],
  ["responseDue", "Response due"],
  ["client", "Client"],
  ["project", "Project"],
  ["projectNumber", "Project number"],
  ["title", "Title"],
];
export const HEADINGS = ["#", "Tracking number", "Revision", "Status", "Title", "File", "Bytes", "SHA-256"] as const;
export const STATES = { draft: "draft", digest: "published, not signed", signed: "signed" } as const;
export const ADVICE_BEFORE = "Check it with your own copy of the tool, or with";
export const ADVICE_BEHIND = ": a page cannot vouch for itself.";
export const COMMAND = "zddc verify";

export interface Form {
  readonly title: string;
  readonly state: string;
  readonly fields: readonly (readonly [label: string, value: string])[];
  readonly remarks: string;
  readonly rows: readonly (readonly string[])[];
  /** The digest as it is printed and compared; empty for a draft. */
  readonly seal: string;
  /** What the signatures say of themselves. */
  readonly signatures: readonly string[];
}

export function formOf(transmittal: Transmittal): Form {
  const text = (name: TextField) => textOf(transmittal.payload, name);
  const digest = textOf(transmittal.envelope, "digest");
  return {
    title: text("subject") || text("title") || text("type"),
    state: STATES[stateOf(transmittal)],
    fields: LABELS.map(([name, label]) => [label, text(name)] as const).filter(([, value]) => value),
    remarks: text("remarks"),
    rows: filesOf(transmittal).map((row, number) => [
      String(number + 1),
      row.trackingNumber,
      row.revision,
      row.status,
      row.title,
      placeOfFile(row),
      String(row.size),
      row.sha256,
    ]),
    seal: digest && `ZDDC1 ${text("trackingNumber")} ${text("date")} ${digest}`,
    signatures: digest ? signaturesOf(transmittal).map((one) => `${textOf(one, "label") || "Signature"}, ${textOf(one, "signedAt")}`) : [],
  };
}
