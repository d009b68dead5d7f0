/** Shows a transmittal as elements; everything that somebody wrote is the text of one. */
import { textOf, type Transmittal } from "../shared/transmittal/data";
import { ADVICE_BEFORE, ADVICE_BEHIND, COMMAND, formOf, HEADINGS } from "../shared/transmittal/form";
import { isLogo } from "../shared/transmittal/logos";
import { visibleText } from "../shared/visible";
import { text } from "./text";

export function element(name: string, attributes: Readonly<Record<string, string>>, ...inside: (Node | string)[]): HTMLElement {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value) made.setAttribute(key, value);
  made.append(...inside);
  return made;
}

/** Returns the whole form; `says` is what the page says of itself, below the head. */
export function renderForm(transmittal: Transmittal, says: HTMLElement): DocumentFragment {
  const form = formOf(transmittal);
  const whole = document.createDocumentFragment();
  const badge = element("span", { class: "badge" }, text.notChecked(form.state));
  const advice = element("p", {}, badge, ` ${ADVICE_BEFORE} `, element("code", {}, COMMAND), ADVICE_BEHIND);
  const fields = form.fields.flatMap(([label, value]) => [element("dt", {}, label), element("dd", {}, visibleText(value))]);
  const logos = ["leftLogo", "rightLogo"].map((name) => textOf(transmittal.presentation, name)).filter(isLogo);
  const header = element("header", {}, element("h1", {}, visibleText(form.title)), advice, says, element("dl", {}, ...fields));
  if (logos.length) header.prepend(element("div", { class: "logos" }, ...logos.map((src) => element("img", { src, alt: "" }))));
  whole.append(header);
  if (form.remarks) whole.append(element("h2", {}, text.remarks), element("pre", {}, visibleText(form.remarks)));
  whole.append(element("h2", {}, text.files), element("div", { class: "scroll" }, tableOf(form.rows)));
  if (form.seal) whole.append(element("h2", {}, text.digest), element("p", {}, element("code", {}, visibleText(form.seal))));
  return whole;
}

function tableOf(rows: readonly (readonly string[])[]): HTMLElement {
  const heads = HEADINGS.map((head) => element("th", { scope: "col" }, head));
  const lines = rows.map((row) => element("tr", {}, ...row.map((cell) => element("td", {}, visibleText(cell)))));
  return element("table", {}, element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...lines));
}
