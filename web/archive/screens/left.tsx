/** What is on the left: the screens, and choices that narrow the list. */
import type { JSX } from "preact";
import { formatNumber, setFragment } from "../../shared/shell";
import { visible } from "../../shared/visible";
import {
  archive, chosen, chosenOnly, clearChoices, currentOnly, escapeListed, extensions, goTo, grouping, kinds, modifiers, parties, screen, SCREENS,
} from "../state";
import { text } from "../text";
import { SHOWN } from "./registry";

/** More values than this are a list to look through, and no choice. */
const MOST_SHOWN = 40;

export function Left(): JSX.Element {
  return (
    <>
      <ul class="screens">
        {SCREENS.filter((id) => SHOWN[id]).map((id) => (
          <li key={id}>
            <button
              type="button"
              class="quiet"
              aria-current={screen.value === id ? "page" : undefined}
              title={text.screenHints[id]}
              onClick={() => goTo(id)}
            >
              {text.screens[id]}
            </button>
          </li>
        ))}
      </ul>
      {archive.value && (screen.value === "register" || screen.value === "files") && <Choices />}
    </>
  );
}

function Choices(): JSX.Element {
  const known = archive.value!;
  const any = [parties, extensions, kinds, modifiers].some((choice) => choice.value !== null) || currentOnly.value || chosenOnly.value;
  return (
    <div class="choices">
      <Toggle label={text.chips.currentOnly} name="current" isOn={currentOnly.value} />
      <Toggle label={text.chips.chosenOnly} name="selected" isOn={chosenOnly.value} isDisabled={!chosen.value.size && !chosenOnly.value} />
      <label class="group-by">
        {text.chips.group}
        <select value={grouping.value} onChange={(event) => setFragment({ group: event.currentTarget.value || null })}>
          <option value="">{text.chips.noGroup}</option>
          <option value="party">{text.chips.groups.party}</option>
          <option value="discipline">{text.chips.groups.discipline}</option>
        </select>
      </label>
      <Facet name="mod" title={text.chips.modifiers} values={known.modifiers} chosen={modifiers.value} labelOf={(value) => (value ? (value === "+" ? "+…" : `+${value}`) : text.chips.base)} />
      <Facet name="kind" title={text.chips.kinds} values={known.kinds} chosen={kinds.value} labelOf={(value) => value || text.chips.noKind} />
      <Facet name="party" title={text.chips.parties} values={countOf(known.parties)} chosen={parties.value} labelOf={(value) => value} />
      <Facet name="type" title={text.chips.types} values={known.extensions} chosen={extensions.value} labelOf={(value) => (value ? `.${value}` : "—")} />
      {any && (
        <button type="button" onClick={clearChoices}>
          {text.chips.clear}
        </button>
      )}
    </div>
  );
}

function countOf(values: readonly string[]): ReadonlyMap<string, number | null> {
  return new Map(values.map((value) => [value, null]));
}

function Toggle({ label, name, isOn, isDisabled = false }: { label: string; name: string; isOn: boolean; isDisabled?: boolean }): JSX.Element {
  return (
    <button type="button" class="chip" aria-pressed={isOn} disabled={isDisabled} onClick={() => setFragment({ [name]: isOn ? null : "1" })}>
      {label}
    </button>
  );
}

interface FacetProps {
  readonly name: string;
  readonly title: string;
  readonly values: ReadonlyMap<string, number | null>;
  readonly chosen: ReadonlySet<string> | null;
  labelOf(value: string): string;
}

function Facet({ name, title, values, chosen, labelOf }: FacetProps): JSX.Element | null {
  if (values.size < 2 && !chosen) return null;
  const change = (value: string) => {
    const next = new Set(chosen ?? []);
    if (!next.delete(value)) next.add(value);
    setFragment({ [name]: [...next].map(escapeListed).join(",") || null });
  };
  return (
    <fieldset class="facet">
      <legend>{title}</legend>
      {[...values].slice(0, MOST_SHOWN).map(([value, count]) => (
        <button key={value} type="button" class="chip" aria-pressed={chosen?.has(value) ?? false} onClick={() => change(value)}>
          {visible(labelOf(value))}
          {count !== null && <span class="muted"> {formatNumber(count)}</span>}
        </button>
      ))}
    </fieldset>
  );
}
