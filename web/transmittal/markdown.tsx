/** Shows Markdown as elements: they are made one by one, so no text is ever read as HTML, and no picture is fetched. */
import { h, type JSX } from "preact";
import { visibleText } from "../shared/visible";
import { readMarkdown, type Inside } from "./model/markdown";

export function Markdown({ source, label }: { source: string; label?: string }): JSX.Element {
  return (
    <div class="markdown" {...(label && { role: "group", "aria-label": label })}>
      {elementsOf(readMarkdown(visibleText(source)))}
    </div>
  );
}

function elementsOf(inside: Inside): (JSX.Element | string)[] {
  return inside.map((one) => {
    if (typeof one === "string") return one;
    const { tag, href, start } = one;
    const link = href === undefined ? {} : { href, title: href, target: "_blank", rel: "noopener noreferrer" };
    return h(tag, { ...link, ...(start !== undefined && { start }) }, elementsOf(one.inside));
  });
}
