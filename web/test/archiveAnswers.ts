/** Says as JSON what the archive page makes of an index.json: for the test that the commands say the same. */

import { readFileSync } from "node:fs";
import { parseFilter } from "../shared/filters";
import { buildArchive } from "../archive/model/build";
import { findings } from "../archive/model/findings";
import { EVERYTHING, register, revisionRow, selectFiles } from "../archive/model/view";

interface Question {
  readonly index: string;
  readonly hashes: Readonly<Record<string, string>>;
  readonly leftOut: readonly { readonly path: string; readonly reason: string }[];
  readonly expressions: readonly string[];
}

const { index, hashes, leftOut, expressions } = JSON.parse(readFileSync(0, "utf8")) as Question;
const listed = (JSON.parse(readFileSync(index, "utf8")) as { files: { path: string; size: number; mod_time: string }[] }).files;
const known = new Map(Object.entries(hashes));
const archive = buildArchive(
  listed.map(({ path, size, mod_time }) => ({ path, size, modified: Date.parse(mod_time), sha256: known.get(path) })),
  leftOut,
);
const answers = {
  list: archive.documents.map((document) => revisionRow(document, document.current)),
  all: archive.documents.flatMap((document) => document.revisions.map((revision) => revisionRow(document, revision))),
  copies: archive.documents.map((document) => [
    document.trackingNumber,
    document.revisions.map((revision) => [revision.text, revision.copies.map((copy) => copy.path)]),
  ]),
  files: Object.fromEntries(
    archive.files.map((file) => [
      file.path,
      {
        tracking_number: file.tracking_number, revision: file.revision, status: file.status, title: file.title,
        extension: file.extension, name: file.name, folder: file.folder, party: file.party,
        transmittal: file.transmittal, date: file.date,
      },
    ]),
  ),
  kinds: Object.fromEntries(archive.files.map((file) => [file.path, file.kind])),
  found: expressions.map((query) => selectFiles(archive, { ...EVERYTHING, query }).map((file) => file.path)),
  listed: expressions.map((query) => {
    const { condition } = parseFilter(query);
    return archive.documents
      .filter((document) => condition(revisionRow(document, document.current)))
      .map((document) => document.trackingNumber);
  }),
  shown: register(archive, archive.files, null, "").flatMap(({ rows }) => rows.map((row) => [row.tracking_number, row.shown.text])),
  findings: findings(archive).map(({ path, kind, reason, correction }) => ({ path, kind, reason, correction })),
};
process.stdout.write(JSON.stringify(answers));
