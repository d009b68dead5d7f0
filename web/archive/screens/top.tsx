/** Above every screen: what goes on, and what the person must know or do. */
import type { JSX } from "preact";
import { addProblem } from "../../shared/shell";
import { reasonOf } from "../../shared/files/place";
import { visible } from "../../shared/visible";
import { banner, running } from "../state";
import { text } from "../text";

export function Top(): JSX.Element {
  const now = running.value;
  const told = banner.value;
  return (
    <div class="top no-print">
      {now && (
        <div class="running" role="group" aria-label={visible(now.label)}>
          <span class="breaks">{visible(now.label)}</span>
          {now.part === undefined ? <progress aria-label={visible(now.label)} /> : <progress aria-label={visible(now.label)} value={now.part} />}
          <button type="button" onClick={() => now.stop()}>
            {text.loading.stop}
          </button>
        </div>
      )}
      {told && (
        <div class={`banner ${told.kind === "note" ? "" : "is-bad"}`} role={told.kind === "note" ? "status" : "alert"}>
          <span class="grow breaks">{visible(told.message)}</span>
          {told.kind === "signedOut" && (
            <a class="button" href={location.pathname} target="_blank" rel="noopener noreferrer">
              {text.errors.signIn}
            </a>
          )}
          {told.run && (
            <button
              type="button"
              onClick={() => {
                Promise.resolve(told.run!()).catch((error: unknown) => addProblem(told.message, reasonOf(error)));
              }}
            >
              {told.label}
            </button>
          )}
        </div>
      )}
    </div>
  );
}
