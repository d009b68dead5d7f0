/** Exports a document as one HTML file that needs nothing else, and in which nothing can run. */
import { download } from "../shared/save";
import { addProblem, showToast } from "../shared/shell";
import { reasonOf } from "../shared/files/place";
import { visible } from "../shared/visible";
import { absent, makeFragment } from "./preview/fragment";
import { imageType } from "./preview/images";
import { renderMarkdown } from "./preview/render";
import { folderOf, nameOf, type OpenDocument, place } from "./state";
import { text } from "./text";

const STYLE = `
:root { color-scheme: light dark; }
body { max-width: 48rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.6 system-ui, "Segoe UI", sans-serif; }
h1, h2, h3, h4, h5, h6 { line-height: 1.25; }
table { border-collapse: collapse; }
th, td { border: 1px solid #8888; padding: 0.3rem 0.6rem; text-align: left; vertical-align: top; overflow-wrap: anywhere; }
.is-right { text-align: right; } .is-center { text-align: center; }
pre { padding: 0.75rem; background: #8881; white-space: pre-wrap; overflow-wrap: anywhere; }
code { font-family: ui-monospace, Consolas, monospace; font-size: 0.92em; }
blockquote { margin-inline: 0; padding-inline-start: 1rem; border-inline-start: 3px solid #8888; }
img { max-width: 100%; }
li.task { list-style: none; margin-inline-start: -1.3rem; }
.front-matter { font-size: 0.85rem; }
@page { margin: 14mm 12mm 16mm; }
@media print { body { margin: 0; max-width: none; } tr, img { break-inside: avoid; } thead { display: table-header-group; } }
`;

/** Gives the person the document as HTML. */
export async function exportHtml(opened: OpenDocument): Promise<void> {
  const name = `${nameOf(opened.path).replace(/\.[^.]*$/, "")}.html`;
  try {
    const { html, left } = await makeHtml(opened);
    download(name, new Blob([html], { type: "text/html;charset=utf-8" }));
    showToast(text.exported(name, left));
  } catch (error) {
    addProblem(name, reasonOf(error));
  }
}

async function makeHtml(opened: OpenDocument): Promise<{ html: string; left: number }> {
  const { made, headings, matter } = renderMarkdown(opened.state.doc.toString());
  const waiting: Promise<void>[] = [];
  let left = 0;
  const image = (path: string, alt: string, title: string): Node => {
    const shown = document.createElement("img");
    shown.alt = alt;
    if (title) shown.title = title;
    waiting.push(
      dataOf(path).then(
        (data) => void (shown.src = data),
        () => {
          left += 1;
          shown.replaceWith(absent(alt, text.image.absent(nameOf(path))));
        },
      ),
    );
    return shown;
  };
  const page = document.implementation.createHTMLDocument(headings[0]?.title || nameOf(opened.path));
  const body = document.createElement("article");
  if (matter) {
    const shown = document.createElement("pre");
    shown.className = "front-matter";
    shown.textContent = visibleLines(matter);
    body.append(shown);
  }
  body.append(makeFragment(made, { folder: folderOf(opened.path), image }));
  await Promise.all(waiting);
  for (const link of body.querySelectorAll<HTMLAnchorElement>("a[data-path]")) {
    // Beside the exported file, the other documents lie where they lay.
    link.replaceWith(...link.childNodes);
  }
  for (const box of body.querySelectorAll("input")) {
    box.disabled = true;
    box.toggleAttribute("checked", box.checked);
  }
  for (const one of body.querySelectorAll<HTMLElement>("[data-line]")) delete one.dataset["line"];
  page.body.append(body);
  const serializer = new XMLSerializer();
  const policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'";
  return {
    html:
      `<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<meta http-equiv="Content-Security-Policy" content="${policy}">\n` +
      `<meta name="viewport" content="width=device-width, initial-scale=1">\n${serializer.serializeToString(page.querySelector("title")!)}\n` +
      `<style>${STYLE}</style>\n</head>\n${serializer.serializeToString(page.body)}\n</html>\n`,
    left,
  };
}

function visibleLines(matter: string): string {
  return matter.trimEnd().split("\n").map(visible).join("\n");
}

async function dataOf(path: string): Promise<string> {
  const type = imageType(path);
  if (!type) throw new Error(path);
  const file = await place.peek()!.open(path);
  return new Promise((done, fail) => {
    const reader = new FileReader();
    reader.onload = () => done(String(reader.result));
    reader.onerror = () => fail(reader.error);
    reader.readAsDataURL(file.slice(0, file.size, type));
  });
}
