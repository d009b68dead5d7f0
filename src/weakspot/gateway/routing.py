"""Which model answers a question: the adapter that was released for its domain, or the base."""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from weakspot.capture.conversation import Conversation
from weakspot.config import Config
from weakspot.dataset.domains import detect
from weakspot.deployment import releases
from weakspot.gateway.upstream import Upstream
from weakspot.records import MULTI_DOMAIN, Release, Target
from weakspot.storage import atomic
from weakspot.workspace import Workspace
from zddc.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

_TARGET: Target = "gateway"
# A name that a server lacks is asked for again, since it may have been loaded just now, but not with each question.
_RECENT_SECONDS = 2.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Route:
    """Where a question goes: the server, the model's name there, the question's domain, the release behind it."""

    upstream: Upstream
    model: str
    domain: str
    release: Release | None


class Routing:
    """Points the alias of the settings at what is released; reads the releases again when they change."""

    def __init__(self, workspace: Workspace, config: Config, upstream: Upstream) -> None:
        self._workspace, self._config = workspace, config
        self._own = config.gateway.upstream.rstrip("/")
        self._upstreams = {self._own: upstream}
        self._releases: list[Release] = []
        self._state: atomic.FileState | None = None
        self._missed: set[int] = set()

    async def route(
        self, model: str, conversation: Conversation, headers: "Mapping[str, str]", *, any_name: bool
    ) -> Route:
        """Return where a question goes that a client asks ``model``.

        The alias stands for the adapter of the question's domain, for that of all domains where it has none, or for
        the base. So does a name that the server does not have, if ``any_name``: clients of another provider know
        that provider's names only. Every other name is the server's own.
        """
        domain, known = self._domain(conversation), self._known()
        own = self._upstreams[self._own]
        if model != self._config.gateway.alias and not (any_name and model not in await own.models(headers)):
            named = (one for one in releases.live(known).values() if one.target == _TARGET and one.served_name == model)
            return Route(own, model, domain, next(named, None))
        chosen = released(known, domain, conversation)
        if chosen is not None and chosen.served_name:
            upstream = self._at(chosen.location)
            if await self._serves(upstream, chosen, headers):
                return Route(upstream, chosen.served_name, domain, chosen)
        return Route(own, await own.known_model(model, headers), domain, None)

    def choice(self, conversation: Conversation) -> tuple[str, Release | None]:
        """Return a question's domain, and the release that the alias stands for, None for the base."""
        domain = self._domain(conversation)
        return domain, released(self._known(), domain, conversation)

    def live(self) -> dict[str, str]:
        """Return the adapter that answers for each domain that has one."""
        found = releases.live(self._known())
        return {domain: one.adapter for (domain, target), one in found.items() if target == _TARGET and one.adapter}

    async def close(self) -> None:
        """Give back the connections to servers other than the settings'."""
        for address, upstream in self._upstreams.items():
            if address != self._own:
                await upstream.close()

    def _known(self) -> list[Release]:
        state = atomic.FileState.of(self._workspace.releases)
        if state != self._state:
            self._state = state
            self._missed.clear()
            try:
                self._releases = releases.read_releases(self._workspace)
            except (UserError, OSError) as error:
                _log.error("the releases stay as they were: %s", error)
        return self._releases

    def _domain(self, conversation: Conversation) -> str:
        collect = self._config.collect
        default, weight = collect.default_domain, collect.query_weight
        return detect(conversation.words, [], self._config.triggers, default=default, query_weight=weight).domain

    def _at(self, address: str) -> Upstream:
        if address not in self._upstreams:
            gateway = self._config.gateway.model_copy(update={"upstream": address})
            self._upstreams[address] = Upstream(self._config.model_copy(update={"gateway": gateway}))
        return self._upstreams[address]

    async def _serves(self, upstream: Upstream, release: Release, headers: "Mapping[str, str]") -> bool:
        """Whether a server has what was released there; a server that was started anew has forgotten it."""
        if release.served_name in await upstream.models(headers):
            return True
        names = await upstream.models(headers, oldest_seconds=_RECENT_SECONDS)
        if release.served_name in names or not names:
            return True
        if release.number not in self._missed:
            self._missed.add(release.number)
            _log.error("%s has no %s: the base answers; deploy it again", release.location, release.served_name)
        return False


def released(known: Sequence[Release], domain: str, conversation: Conversation) -> Release | None:
    """Return the release that answers a question of ``domain``, None for the base.

    The share of a release is one of conversations: which side one falls on depends on its first question only.
    """
    live = releases.live(known)
    for of in dict.fromkeys((domain, MULTI_DOMAIN)):
        chosen = live.get((of, _TARGET))
        while chosen is not None and not _within(chosen, conversation):
            chosen = releases.before(known, chosen)
        if chosen is not None and chosen.adapter is not None:
            return chosen
    return None


def _within(release: Release, conversation: Conversation) -> bool:
    if release.share == 1:
        return True
    drawn = hashlib.sha256(conversation.first_question.key + str(release.number).encode()).digest()
    return int.from_bytes(drawn[:8]) < release.share * 2**64
