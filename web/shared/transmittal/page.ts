/** Makes the HTML of a transmittal: a form that is readable without a script, and the data; as src/zddc/transmittal/page.py. */

import { visibleText } from "../visible";
import { findBlock } from "./block";
import type { Transmittal } from "./data";
import { ADVICE_BEFORE, ADVICE_BEHIND, COMMAND, formOf, HEADINGS } from "./form";
import { formatData } from "./writing";

// What is between the marks is replaced. In pieces, so that the code of a page holds no mark.
const STATIC_START = ["<!", "-- static --", ">"].join("");
const STATIC_END = ["<!", "-- /static --", ">"].join("");
const ESCAPES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;" };

/** Returns the viewer with a transmittal in it; throws BlockError or Error where the viewer has no place for it. */
export function makePage(transmittal: Transmittal, viewer: string): string {
  const start = viewer.indexOf(STATIC_START);
  const end = viewer.indexOf(STATIC_END, start);
  if (start < 0 || end < 0) throw new Error("the viewer has no marks for the form");
  // Cut and joined, never replaced: a replacement gives a meaning to "$".
  const page = viewer.slice(0, start) + STATIC_START + formatForm(transmittal) + viewer.slice(end);
  const [first, last] = findBlock(page);
  return `${page.slice(0, first)}\n${formatData(transmittal)}\n${page.slice(last)}`;
}

function formatForm(transmittal: Transmittal): string {
  const form = formOf(transmittal);
  const fields = form.fields.map(([label, value]) => `<dt>${label}</dt><dd>${escape(value)}</dd>`).join("");
  const signatures = form.signatures.map((one) => `<li>${escape(one)}</li>`).join("");
  return [
    `\n<header>\n<h1>${escape(form.title)}</h1>\n<p><span class="badge">${form.state}; not checked</span> ` +
      `${ADVICE_BEFORE} <code>${COMMAND}</code>${ADVICE_BEHIND}</p>`,
    `<dl>${fields}</dl>\n</header>`,
    form.remarks && `<h2>Remarks</h2>\n<pre>${escape(form.remarks)}</pre>`,
    `<h2>Files</h2>\n<table>\n<thead><tr>${cells("th", HEADINGS)}</tr></thead>\n<tbody>`,
    ...form.rows.map((row) => `<tr>${cells("td", row)}</tr>`),
    `</tbody>\n</table>\n${form.seal && `<h2>Digest</h2>\n<p><code>${escape(form.seal)}</code></p>\n<ul>${signatures}</ul>`}\n`,
  ].join("\n");
}

function cells(element: "td" | "th", texts: readonly string[]): string {
  return texts.map((one) => `<${element}>${escape(one)}</${element}>`).join("");
}

function escape(text: string): string {
  return visibleText(text).replace(/[&<>"']/g, (letter) => ESCAPES[letter]!);
}
