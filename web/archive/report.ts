/** Writes the documents of some files as one HTML page, which is read and printed without this page. */
import { formatSize } from "../shared/format";
import { visible } from "../shared/visible";
import { compareRevisions } from "../shared/revision";
import type { Archive, FileRow } from "./model/types";
import { text } from "./text";

const STYLE =
  "body{font:14px/1.4 system-ui,sans-serif;margin:1.5rem}table{border-collapse:collapse;width:100%}" +
  "th,td{text-align:left;vertical-align:top;padding:.25rem .5rem;border-bottom:1px solid #bbb;overflow-wrap:anywhere}" +
  "thead{display:table-header-group}tr{break-inside:avoid}.old{color:#666}@page{margin:12mm}";

/** Return the page: a heading, lines below it, and one row for each revision of each document. */
export function formatReport(heading: string, lines: readonly string[], files: readonly FileRow[], known: Archive): string {
  const columns = text.exports.columns;
  const titles = [columns.trackingNumber, columns.title, columns.revision, columns.status, columns.date, columns.party, columns.extension, columns.size, columns.path];
  const rows: string[] = [];
  const sorted = [...files].sort(
    (a, b) => compare(a.tracking_number, b.tracking_number) || compareRevisions(b.revision, a.revision) || compare(a.path, b.path),
  );
  for (const file of sorted) {
    const document = file.counts ? known.byTrackingNumber.get(file.tracking_number) : undefined;
    const isOld = document !== undefined && document.current.text !== file.revision;
    const size = file.size === undefined ? "" : formatSize(file.size);
    const cells = [file.tracking_number, file.title || file.name, file.revision, file.status, file.date, file.party, file.extension, size, file.path];
    rows.push(`<tr${isOld ? ' class="old"' : ""}>${cells.map((cell) => `<td>${escape(cell)}</td>`).join("")}</tr>`);
  }
  const head = titles.map((title) => `<th scope="col">${escape(title)}</th>`).join("");
  return (
    `<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n` +
    `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">\n` +
    `<title>${escape(heading)}</title>\n<style>${STYLE}</style>\n<h1>${escape(heading)}</h1>\n` +
    `${lines.filter(Boolean).map((line) => `<p>${escape(line)}</p>\n`).join("")}` +
    `<table>\n<thead><tr>${head}</tr></thead>\n<tbody>\n${rows.join("\n")}\n</tbody>\n</table>\n</html>\n`
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function escape(value: string): string {
  return visible(value)
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
