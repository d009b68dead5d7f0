/** Said below a table that has no rows: why, and what can be done. */
import type { JSX } from "preact";
import { setFragment } from "../../shared/shell";
import { archive, clearChoices, running, screen } from "../state";
import { text } from "../text";

export function Nothing({ isEmpty }: { isEmpty: boolean }): JSX.Element | null {
  const known = archive.value;
  if (!isEmpty || !known) return null;
  if (!known.files.length) return <p class="empty">{running.value ? running.value.label : text.nothing.noFiles}</p>;
  if (!known.documents.length && screen.value === "register") return <p class="empty">{text.nothing.noDocuments}</p>;
  return (
    <div class="empty">
      <p>{text.nothing.filtered}</p>
      <button
        type="button"
        onClick={() => {
          setFragment({ q: null });
          clearChoices();
        }}
      >
        {text.nothing.clear}
      </button>
    </div>
  );
}
