/** A transmittal as it is read and printed. */
import type { JSX } from "preact";
import { textOf, stateOf, type Transmittal } from "../../shared/transmittal/data";
import { formOf, HEADINGS } from "../../shared/transmittal/form";
import { isLogo } from "../../shared/transmittal/logos";
import { visible, visibleText } from "../../shared/visible";
import { formatRow } from "../../shared/transmittal/writing";
import type { Json } from "../../shared/canonical";
import { Markdown } from "../markdown";
import { presentationOf, toListed, type Draft } from "../model/draft";
import { draft, inHand, isEmpty } from "../state";
import { text } from "../text";

const words = text.view;

/** A draft as the transmittal that it will be, without the row of itself. */
function previewOf(given: Draft): Transmittal {
  const texts = Object.entries(given.fields).filter(([, value]) => value);
  const payload = new Map<string, Json>([["version", 1], ...texts, ["files", given.rows.map((row) => formatRow(toListed(row)))]]);
  return { payload, envelope: new Map(), presentation: presentationOf(given) };
}

export function View(): JSX.Element {
  const opened = inHand.value;
  if (!opened && isEmpty.value) return <p class="empty">{words.nothing}</p>;
  return <Document transmittal={opened?.page.transmittal ?? previewOf(draft.value)} isPreview={!opened} />;
}

function Document({ transmittal, isPreview }: { transmittal: Transmittal; isPreview: boolean }): JSX.Element {
  const form = formOf(transmittal);
  const logos = ["leftLogo", "rightLogo"].map((name) => textOf(transmittal.presentation, name));
  return (
    <article class="paper">
      {logos.some(isLogo) && (
        <div class="logos">
          {logos.map((source, at) => (isLogo(source) ? <img key={at} src={source} alt="" /> : <span key={at} />))}
        </div>
      )}
      <h1 class="breaks">{visibleText(form.title)}</h1>
      <p class="muted">
        <span class="badge">{form.state}</span> {isPreview ? words.preview : words.notChecked}
      </p>
      <dl class="head">
        {form.fields.map(([label, value]) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd class="breaks">{visibleText(value)}</dd>
          </div>
        ))}
      </dl>
      {form.remarks && (
        <>
          <h2>{words.remarks}</h2>
          <Markdown source={form.remarks} />
        </>
      )}
      <h2 id="view-files">{words.files}</h2>
      <div class="scroll" tabIndex={0} role="group" aria-labelledby="view-files">
        <table class="rows list">
          <thead>
            <tr>
              {HEADINGS.map((head) => (
                <th key={head} scope="col">
                  {head}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {form.rows.map((row) => (
              <tr key={row[0]}>
                {row.map((cell, at) => (
                  <td key={at}>{visibleText(cell)}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {stateOf(transmittal) !== "draft" && (
        <>
          <h2>{words.digest}</h2>
          <p>
            <code class="breaks">{visible(form.seal)}</code>
          </p>
        </>
      )}
      {form.signatures.length > 0 && (
        <>
          <h2>{words.signatures}</h2>
          <ul>
            {form.signatures.map((one, at) => (
              <li key={at}>{visible(one)}</li>
            ))}
          </ul>
        </>
      )}
    </article>
  );
}
