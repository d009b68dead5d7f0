/** What a transmittal brings compared with an earlier one. */
import type { JSX } from "preact";
import { filesOf } from "../../shared/transmittal/data";
import { visible } from "../../shared/visible";
import { labelOf, openFiles, pickFiles } from "../loading";
import { compareLists, CHANGES, type Change } from "../model/compare";
import { toListed } from "../model/draft";
import { draft, earlier, inHand, isEmpty } from "../state";
import { text } from "../text";

const words = text.compare;
const TONES: Partial<Record<Change, string>> = { otherBytes: "bad", older: "bad", revised: "accent", added: "accent", removed: "warn" };

export function Compare(): JSX.Element {
  const opened = inHand.value;
  const before = earlier.value;
  const hasBoth = before !== null && (opened !== null || !isEmpty.value);
  return (
    <div class="compare">
      <h1 class="visually-hidden">{text.screens.compare}</h1>
      <div class="drop-zone no-print">
        <p>{opened || !isEmpty.value ? words.drop : words.nothing}</p>
        <button type="button" onClick={() => void pickFiles({ accept: ".html,.htm,.json" }).then(openFiles)}>
          {words.choose}
        </button>
      </div>
      {hasBoth && <Table />}
    </div>
  );
}

function Table(): JSX.Element {
  const before = earlier.value!;
  const later = inHand.value ? filesOf(inHand.value.page.transmittal) : draft.value.rows.map(toListed);
  const rows = compareLists(later, filesOf(before.transmittal));
  return (
    <section class="card" aria-labelledby="compare-head">
      <h2 id="compare-head" class="breaks">
        {words.with(visible(labelOf(before)))}
      </h2>
      <ul class="counts">
        {CHANGES.map((change) => [change, rows.filter((one) => one.change === change).length] as const)
          .filter(([, count]) => count > 0)
          .map(([change, count]) => (
            <li key={change}>
              <b>{count.toLocaleString("en")}</b> {words.changes[change]}
            </li>
          ))}
      </ul>
      <div class="scroll" tabIndex={0} role="group" aria-labelledby="compare-head">
        <table class="rows">
          <thead>
            <tr>
              <td />
              {words.heads.slice(1).map((head) => (
                <th key={head} scope="col">
                  {head}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map(({ change, now, before: old }, at) => (
              <tr key={at}>
                <td>
                  <span class={`badge ${TONES[change] ?? ""}`}>{words.changes[change]}</span>
                </td>
                <td>{visible((now ?? old)!.trackingNumber || (now ?? old)!.filename)}</td>
                <td>{old ? visible(`${old.revision} ${old.status}`) : ""}</td>
                <td>{now ? visible(`${now.revision} ${now.status}`) : ""}</td>
                <td class="breaks">{visible((now ?? old)!.title)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
