// Where a person begins: the projects that are open to her, or, from the disk, the pages and what they can do here.
import { computed } from "@preact/signals";
import type { JSX } from "preact";
import "../shared/style.css";
import { mountShell, type Action } from "../shared/shell.tsx";
import { text as shared } from "../shared/text/en.ts";
import { visible } from "../shared/visible.ts";
import { choosePages, Here, Limits, ServedTools, SiblingTools, Verify, Who } from "./cards.tsx";
import { Projects, ProjectSearch, readStars, Recent } from "./projects.tsx";
import { load, state, who } from "./server.ts";
import "./style.css";
import { text } from "./text.ts";

function Landing(): JSX.Element {
  return state.value.kind === "offline" ? <Offline /> : <Served />;
}

function Offline(): JSX.Element {
  return (
    <div class="landing">
      <header class="lead">
        <h1>{text.brand}</h1>
        <p>{text.leadOffline}</p>
      </header>
      <SiblingTools />
      <div class="two">
        <Here />
        <div>
          <Limits />
          <Verify />
        </div>
      </div>
    </div>
  );
}

function Served(): JSX.Element {
  const now = state.value;
  return (
    <div class="landing">
      <h1 class="visually-hidden">{shared.pages.landing}</h1>
      <div class="main-and-side">
        <div>
          {now.kind === "ready" && now.projects.length > 0 ? (
            <>
              <Projects />
              <Recent />
            </>
          ) : (
            <Notice />
          )}
        </div>
        <div class="side">
          <Who />
          <ServedTools />
          <Verify />
        </div>
      </div>
    </div>
  );
}

function Notice(): JSX.Element {
  const now = state.value;
  if (now.kind === "signed-out") {
    return <Message line={text.states.signedOut} hint={text.states.signedOutHint} label={text.states.reload} run={() => location.reload()} />;
  }
  if (now.kind === "failed") {
    return <Message line={text.states.failed(visible(now.reason))} hint={text.states.failedHint} label={text.states.retry} run={load} />;
  }
  if (now.kind === "ready") {
    const email = who.value?.email;
    return <Message line={email ? text.states.empty(visible(email)) : text.states.emptyAnonymous} hint={text.states.emptyHint} />;
  }
  return <Message line={now.kind === "reading" ? text.states.reading : text.states.loading} hint="" />;
}

function Message({ line, hint, label, run }: { line: string; hint: string; label?: string; run?: () => void }): JSX.Element {
  return (
    <div class="card message" role="status">
      <p>
        <b>{line}</b>
      </p>
      {hint && <p class="muted">{hint}</p>}
      {label && (
        <button type="button" class="primary" onClick={run}>
          {label}
        </button>
      )}
    </div>
  );
}

const isServedByUs = computed(() => state.value.kind !== "offline");
const actions = computed<Action[]>(() => [
  ...(isServedByUs.value ? [{ id: "refresh", label: text.actions.refresh, keys: "R", run: load }] : []),
  { id: "check-page", label: text.actions.checkPage, run: choosePages },
]);

function WhoBadge(): JSX.Element | null {
  if (!isServedByUs.value) return null;
  return (
    <div class="place">
      <span class="badge">{text.who.badge(visible(who.value?.email ?? text.who.nobody))}</span>
    </div>
  );
}

function Search(): JSX.Element | null {
  return state.value.kind === "ready" && state.value.projects.length > 0 ? <ProjectSearch /> : null;
}

readStars();
void load();
mountShell({
  id: "landing",
  title: shared.pages.landing,
  actions,
  badge: WhoBadge,
  search: Search,
  middle: Landing,
  keys: isServedByUs.value
    ? [
        { keys: "↓ or ↑", does: text.keys.moves },
        { keys: "Enter", does: text.keys.opens },
        { keys: "Space", does: text.keys.stars },
      ]
    : [],
});
