"""Renders the pages: each method returns one page or chart, from the files as they are now."""

import hmac
import json
from collections.abc import Mapping
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from weakspot.analytics import savings
from weakspot.capture import review
from weakspot.capture.decisions import NO, YES
from weakspot.config import Config
from weakspot.deployment.releases import live, read_releases
from weakspot.models import adapters
from weakspot.pipeline import status
from weakspot.pipeline.forget import forget
from weakspot.records import Interaction
from weakspot.ui import charts, savings_chart
from weakspot.ui.record_view import digest_of, mark_invisible, turns_of
from weakspot.ui.review import STATES, Filter, ReviewEntry, ReviewIndex
from weakspot.ui.session_auth import Session
from weakspot.ui.word_diff import differences
from weakspot.workspace import AdapterName, Workspace
from zddc.errors import UserError
from zddc.visible import restore, visible

if TYPE_CHECKING:
    from jinja2 import Environment

_LISTED = 20


class Pages:
    """The pages of one workspace, each for a session; their addresses begin with ``path``."""

    def __init__(self, workspace: Workspace, config: Config, path: str) -> None:
        self._workspace, self._config, self._path = workspace, config, path
        self._index = ReviewIndex(workspace, config)

    @cached_property
    def _templates(self) -> "Environment":
        from jinja2 import Environment, PackageLoader, StrictUndefined

        templates = Environment(
            autoescape=True,
            loader=PackageLoader("weakspot.ui"),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            # No expression of a page shows a character that cannot be seen; those of the markup itself stay.
            finalize=lambda value: visible(value) if type(value) is str else value,
        )
        templates.filters["marked"] = mark_invisible
        templates.globals.update(
            where=self.review_url,
            waiting=self.review_url(Filter(state="waiting")),
            path=self._path,
            root=str(self._workspace.root),
        )
        return templates

    def _page(self, session: Session, name: str, **values: object) -> str:
        notice, session.notice = session.notice, ""
        shown = {"page": name, "notice": notice, "form_token": session.form_token, **values}
        return self._templates.get_template(name).render(shown)

    def overview(self, session: Session) -> str:
        """The number of examples of each domain, and what is due."""
        found = status.status(self._workspace, self._config)
        largest = max((domain.examples for domain in found.domains), default=1)
        return self._page(session, "overview.html", status=found, largest=max(1, largest))

    def review(self, session: Session, wanted: Filter, identity: str = "") -> str:
        """One interaction beside the list of those that match; the first match where ``identity`` names none."""
        self._index.refresh()
        entries = self._index.matching(wanted)
        place = next((n for n, entry in enumerate(entries) if entry.id == identity), None)
        if place is None and entries and self._index.load(identity) is None:
            place, identity = 0, entries[0].id
        captured = self._index.load(identity)
        first = (place or 0) // _LISTED * _LISTED
        listed = entries[first : first + _LISTED]
        return self._page(
            session,
            "review.html",
            wanted=wanted,
            states=list(STATES),
            domains=self._index.domains(),
            count=len(entries),
            place=place,
            listed=[(entry, self._marks(entry)) for entry in listed],
            current=self._review_fields(captured) if captured else None,
            previous=entries[place - 1].id if place else None,
            following=next((entry.id for entry in entries[0 if place is None else place + 1 :][:1]), None),
            undoable=bool(session.decided),
        )

    def _marks(self, entry: ReviewEntry) -> list[str]:
        decisions = self._index.decisions
        judged = decisions.judgement(entry.id)
        states = {
            "accepted": judged in YES,
            "rejected": judged in NO,
            "waiting": judged is None and entry.policy == "ask",
            "edited": decisions.latest(entry.id, "edit") is not None,
            "moved": decisions.latest(entry.id, "move") is not None,
            "incomplete": entry.incomplete,
        }
        return [state for state, holds in states.items() if holds]

    def _review_fields(self, captured: Interaction) -> dict[str, object]:
        entry = self._index.entry(captured.id)
        revised = self._index.decisions.with_edits(captured)
        changed = [
            (name, before.text)
            for name, before, after in (
                ("query", captured.query, revised.query),
                ("expert's answer", captured.expert, revised.expert),
            )
            if before != after
        ]
        return {
            "id": captured.id,
            "domain": self._index.domain(entry),
            "marks": self._marks(entry),
            "metadata": captured.metadata,
            "digest": digest_of(captured, revised, self._index.domain(entry)),
            "turns": turns_of(revised),
            "tools": json.dumps(revised.tools, ensure_ascii=False, indent=1) if revised.tools else "",
            "differences": differences(revised.local.text, revised.expert.text),
            "captured": changed,
            "fields": [visible(review.editable_text(message)) for message in (revised.query, revised.expert)],
        }

    def decide(self, session: Session, wanted: Filter, form: Mapping[str, str]) -> str:
        """Store a decision; return the id of the interaction to show next. An error becomes the next page's notice."""
        self._index.refresh()
        before = [entry.id for entry in self._index.matching(wanted)]
        action, identity = form.get("action", ""), form.get("id", "")
        try:
            identity = self._decide(session, action, identity, form)
        except UserError as error:
            session.notice = str(error)
            return identity
        self._index.refresh()
        after = {entry.id for entry in self._index.matching(wanted)}
        if action in ("edit", "move", "undo") and identity in after:
            return identity
        return next((later for one, later in pairwise(before) if one == identity), before[-1] if before else "")

    def _decide(self, session: Session, action: str, identity: str, form: Mapping[str, str]) -> str:
        workspace, config = self._workspace, self._config
        if action == "undo":
            if not session.decided:
                raise UserError("undo", "nothing was decided in this session", "decide something first")
            identity = session.decided.pop()
            review.undo(workspace, config, identity)
            return identity
        captured = self._index.load(identity)
        if captured is None:
            raise UserError(identity or "id", "no such interaction", "load the page again")
        revised = self._index.decisions.with_edits(captured)
        shown = digest_of(captured, revised, self._index.domain(self._index.entry(identity)))
        if not hmac.compare_digest(form.get("digest", "").encode(), shown.encode()):
            raise UserError(identity, "changed meanwhile, nothing was decided", "read it as it is now, and decide")
        if action in ("accept", "reject"):
            review.judge(workspace, config, captured, accepted=action == "accept")
        elif action == "edit":
            query, expert = (
                restore(review.as_form_text(form.get(name, "")), review.editable_text(message))
                for name, message in (("query", revised.query), ("expert", revised.expert))
            )
            review.edit(workspace, config, captured, query, expert)
        elif action == "move":
            review.move(workspace, config, captured, form.get("to", "").strip())
        elif action == "forget":
            forget(workspace, config, identity)
            session.decided = [one for one in session.decided if one != identity]
            return identity
        else:
            raise UserError(action or "action", "is not a known decision", "load the page again")
        session.decided.append(identity)
        return identity

    def adapters(self, session: Session) -> str:
        """Every adapter, the newest of a domain first, with the verdict on it."""
        names = sorted(self._workspace.adapter_names(), key=lambda name: (name.domain, -name.version))
        found = [
            (
                name,
                adapters.read_manifest(self._workspace, name, verify=False),
                adapters.read_scorecard(self._workspace, name),
            )
            for name in names
        ]
        return self._page(session, "adapters.html", adapters=found)

    def curve(self, name: str) -> str | None:
        """An adapter's training curve; None where there is no such adapter."""
        found = self._adapter(name)
        best = adapters.read_manifest(self._workspace, found, verify=False).best_step if found else 0
        return charts.training_curve(self._workspace, found, best) if found else None

    def scorecard(self, name: str) -> str | None:
        """An adapter's scorecard as `evaluate` wrote it; None where it did not."""
        found = self._adapter(name)
        file = self._workspace.evaluation_page(found) if found else None
        return file.read_text(encoding="utf-8") if file and file.exists() else None

    def _adapter(self, name: str) -> AdapterName | None:
        return next((found for found in self._workspace.adapter_names() if str(found) == name), None)

    def releases(self, session: Session) -> str:
        """All releases, newest first, and the savings."""
        found = read_releases(self._workspace)
        now = [release.number for release in live(found).values()]
        saved = None
        if self._workspace.usage.exists():
            saved = savings.format_summary(savings.economics(self._workspace, self._config, scorecards=False))
        return self._page(session, "releases.html", releases=found[::-1], live=now, saved=saved)

    def economics(self) -> str | None:
        """The chart of the savings; None where no question was counted yet."""
        if not self._workspace.usage.exists():
            return None
        return savings_chart.chart(savings.economics(self._workspace, self._config))

    def review_url(self, wanted: Filter, identity: str = "") -> str:
        """Return the address of the review page for a filter and an interaction."""
        words = {**vars(wanted), "id": identity}
        return f"{self._path}/review?{urlencode({name: word for name, word in words.items() if word})}"
