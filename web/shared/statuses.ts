/** The status codes, a closed list in this order; letter case matters. The same as in spec/statuses.json. */

export const STATUSES: ReadonlyMap<string, string> = new Map([
  ["---", "not known yet"],
  ["DFT", "draft"],
  ["IFA", "issued for approval"],
  ["IFB", "issued for bid"],
  ["IFC", "issued for construction"],
  ["IFD", "issued for design"],
  ["IFI", "issued for information"],
  ["IFP", "issued for purchase"],
  ["IFR", "issued for review"],
  ["IFU", "issued for use"],
  ["REC", "issued for record"],
  ["RSA", "reviewed, status A: no comments"],
  ["RSB", "reviewed, status B: incorporate the comments, proceed, resubmit for record"],
  ["RSC", "reviewed, status C: incorporate the comments and resubmit before proceeding"],
  ["RSD", "reviewed, status D: rejected"],
  ["RSI", "no review required"],
  ["TBD", "planned, to be determined"],
]);
