/** The screens to choose from, and what is being done now. */
import type { JSX } from "preact";
import { goTo, screen, SCREENS, signingKey, work } from "../state";
import { text } from "../text";
import { forgetKey } from "../keys";

export function Top(): JSX.Element {
  return (
    <div class="top no-print">
      <nav class="tabs" aria-label={text.screensLabel}>
        {SCREENS.map((id) => (
          <button key={id} type="button" aria-current={screen.value === id ? "page" : undefined} onClick={() => goTo(id)}>
            {text.screens[id]}
          </button>
        ))}
      </nav>
      <Working />
      {signingKey.value && (
        <span class="key">
          <span class="badge accent">{text.keys.open(signingKey.value.fingerprint)}</span>
          <button type="button" class="quiet" onClick={forgetKey}>
            {text.actions.forgetKey}
          </button>
        </span>
      )}
    </div>
  );
}

function Working(): JSX.Element | null {
  const now = work.value;
  if (!now) return null;
  return (
    <span class="working" role="status">
      <progress aria-label={now.label} max={now.all || 1} value={now.all ? now.done : 0} />
      <span>{now.label}</span>
      <button type="button" onClick={now.stop}>
        {text.actions.stop}
      </button>
    </span>
  );
}
