/** On the left: the folders with what is wrong in them, the kinds of problems, and the rules for many rows. */
import type { JSX } from "preact";
import { folderOf, nameOf } from "../../shared/files/place";
import { formatNumber, setFragment } from "../../shared/shell";
import { visible } from "../../shared/visible";
import { KINDS } from "../model/checks";
import { folder, hidesGood, kind, model, type Model, version } from "../state";
import { kindNames, text } from "../text";
import { Replace, Split } from "./rules";

const MOST_FOLDERS = 400;

export function Left(): JSX.Element {
  void version.value;
  const shown = model.value;
  if (!shown) return <p class="muted">{text.leftEmpty}</p>;
  return (
    <div class="choices">
      <section aria-labelledby="filters-head">
        <h2 id="filters-head">{text.filters}</h2>
        <ul class="kinds">
          {KINDS.filter((one) => shown.checks.count(one) > 0 || one === kind.value).map((one) => (
            <li key={one}>
              <button
                type="button"
                class={`quiet kind-${one}`}
                aria-pressed={kind.value === one}
                onClick={() => setFragment({ check: kind.peek() === one ? null : one })}
              >
                <span>{kindNames[one]}</span>
                <span class="number">{formatNumber(shown.checks.count(one))}</span>
              </button>
            </li>
          ))}
        </ul>
        <label>
          <input
            type="checkbox"
            checked={hidesGood.value}
            onChange={(event) => setFragment({ hide: event.currentTarget.checked ? "good" : null })}
          />
          {text.hideCompliant}
        </label>
      </section>
      <Folders shown={shown} />
      <details class="rule">
        <summary>{text.splitHead}</summary>
        <Split />
      </details>
      <details class="rule">
        <summary>{text.findHead}</summary>
        <Replace />
      </details>
    </div>
  );
}

/** Each folder with how many files in and below it have no good name. */
function Folders({ shown }: { shown: Model }): JSX.Element {
  void version.value;
  const open = new Map<string, number>([["", 0]]);
  for (const [path, rows] of shown.checks.folders) {
    const bad = rows.filter((row) => shown.checks.verdict(row).problem).length;
    for (let above = path; ; above = folderOf(above)) {
      open.set(above, (open.get(above) ?? 0) + bad);
      if (!above) break;
    }
  }
  const paths = [...open.keys()].sort((one, other) => compareFolders(one, other));
  return (
    <section aria-labelledby="folders-head">
      <h2 id="folders-head">{text.tree}</h2>
      <ul class="folders">
        {paths.slice(0, MOST_FOLDERS).map((path) => (
          <li key={path} style={{ paddingInlineStart: `${path ? Math.min(path.split("/").length, 12) * 0.7 : 0}rem` }}>
            <button
              type="button"
              class="quiet"
              aria-current={folder.value === path ? "true" : undefined}
              title={visible(path)}
              onClick={() => setFragment({ folder: path || null })}
            >
              <span class="folder-name">{path ? visible(nameOf(path)) : text.everything}</span>
              {open.get(path) ? <span class="number">{formatNumber(open.get(path) ?? 0)}</span> : null}
            </button>
          </li>
        ))}
      </ul>
      {paths.length > MOST_FOLDERS && <p class="muted">{text.moreFolders(paths.length - MOST_FOLDERS)}</p>}
    </section>
  );
}

const order = new Intl.Collator("en", { numeric: true });

function compareFolders(one: string, other: string): number {
  const [a, b] = [one.split("/"), other.split("/")];
  for (let at = 0; at < Math.min(a.length, b.length); at += 1) {
    const found = order.compare(a[at]!, b[at]!);
    if (found) return found;
  }
  return a.length - b.length;
}
