// Toasts and the list of problems.
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { formatNumber } from "./format.ts";
import { CLOSE, IconButton } from "./icons.tsx";
import { clearProblems, copyText, dismissToast, formatProblems, problems, problemsShown, toasts, type Toast } from "./messages.ts";
import { text } from "./text/en.ts";
import { visible } from "./visible.ts";

const SHOWN_MS = 8000;
const MOST_SHOWN = 500;

export function Toasts(): JSX.Element {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map((toast) => (
        <ToastView key={toast.id} toast={toast} />
      ))}
    </div>
  );
}

function ToastView({ toast }: { toast: Toast }): JSX.Element {
  const isHeld = useSignal(false);
  useEffect(() => {
    if (isHeld.value) return undefined;
    const timer = setTimeout(() => dismissToast(toast.id), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [isHeld.value]);
  const hold = (value: boolean) => () => {
    isHeld.value = value;
  };
  return (
    <div class="toast" onMouseEnter={hold(true)} onMouseLeave={hold(false)} onFocusIn={hold(true)} onFocusOut={hold(false)}>
      <span>{visible(toast.text)}</span>
      {toast.undo && (
        <button type="button" onClick={() => (dismissToast(toast.id), toast.undo?.())}>
          {text.actions.undo}
        </button>
      )}
      <IconButton icon={CLOSE} label={text.actions.dismiss} onClick={() => dismissToast(toast.id)} />
    </div>
  );
}

export function ProblemList(): JSX.Element | null {
  const list = problems.value;
  if (!problemsShown.value || list.length === 0) return null;
  return (
    <section class="problems" aria-labelledby="problems-title" tabIndex={-1} id="problems">
      <header>
        <h2 id="problems-title">{text.problems.title}</h2>
        <span class="muted">{text.problems.hint}</span>
        <span class="grow" />
        <button type="button" onClick={() => copyText(formatProblems(list))}>
          {text.actions.copyAll}
        </button>
        <button type="button" onClick={clearProblems}>
          {text.problems.clear}
        </button>
        <IconButton icon={CLOSE} label={text.actions.close} onClick={() => (problemsShown.value = false)} />
      </header>
      <ul tabIndex={0} aria-labelledby="problems-title">
        {list.slice(0, MOST_SHOWN).map(({ subject, reason }, n) => (
          <li key={n}>
            <strong>{visible(subject)}</strong>
            {": "}
            {visible(reason)}
          </li>
        ))}
        {list.length > MOST_SHOWN && <li class="muted">{text.problems.more(formatNumber(list.length - MOST_SHOWN))}</li>}
      </ul>
    </section>
  );
}
