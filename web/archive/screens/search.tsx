/** The filter box: every key filters, and what cannot be read is marked where it is wrong. */
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { Icon, SEARCH } from "../../shared/icons";
import { setFragment } from "../../shared/shell";
import { visible } from "../../shared/visible";
import { filterError } from "../shown";
import { query } from "../state";
import { text } from "../text";

export function Search(): JSX.Element {
  const input = useRef<HTMLInputElement>(null);
  const error = filterError.value;
  const typed = query.value;
  useEffect(() => {
    // The address can change by itself, as when one goes back.
    if (input.current && input.current.value !== typed) input.current.value = typed;
  }, [typed]);
  return (
    <div class="filter">
      <div class={error ? "filter-box is-wrong" : "filter-box"}>
        <Icon shape={SEARCH} />
        <input
          ref={input}
          type="search"
          data-search
          aria-label={text.search.label}
          aria-describedby={error ? "filter-error" : "filter-help"}
          aria-invalid={error ? "true" : "false"}
          placeholder={text.search.placeholder}
          spellcheck={false}
          autocomplete="off"
          onInput={(event) => setFragment({ q: event.currentTarget.value || null })}
          onKeyDown={(event) => onKey(event)}
        />
      </div>
      <span id="filter-help" class="visually-hidden">
        {text.search.help}
      </span>
      {error && (
        <p id="filter-error" class="filter-error" role="alert">
          <span class="mono">
            {visible(error.expression.slice(0, error.from))}
            <mark>{visible(error.expression.slice(error.from, error.to)) || " "}</mark>
            {visible(error.expression.slice(error.to))}
          </span>{" "}
          {error.problem}; {error.remedy}
        </p>
      )}
    </div>
  );
}

function onKey(event: KeyboardEvent & { readonly currentTarget: HTMLInputElement }): void {
  if (event.key === "ArrowDown" || event.key === "Enter") {
    event.preventDefault();
    focusTable();
  } else if (event.key === "Escape" && event.currentTarget.value) {
    event.preventDefault();
    event.stopPropagation();
    setFragment({ q: null });
  } else if (event.key === "Escape") {
    event.stopPropagation();
    focusTable();
  }
}

/** Give the keyboard to the row of the table that had it. */
export function focusTable(): void {
  const table = document.querySelector<HTMLElement>('[data-region="middle"] .table');
  (table?.querySelector<HTMLElement>('[tabindex="0"]') ?? table)?.focus();
}
