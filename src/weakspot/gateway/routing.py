"""Routes each question to the adapter that was released for its domain, or else to the base model."""

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING

from weakspot.capture.conversation import Conversation
from weakspot.config import Config
from weakspot.dataset.domains import detect
from weakspot.deployment import releases
from weakspot.gateway.upstream import Upstream
from weakspot.records import MULTI_DOMAIN, Release, Target
from weakspot.storage import atomic
from weakspot.workspace import Workspace
from zddc.addresses import hide_password
from zddc.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

_TARGET: Target = "gateway"
# The list of models is fetched again for a missing name, which may just have been loaded, but not for each question.
_RECENT_SECONDS = 2.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Route:
    """Where a question goes: the server, the model's name there, and the release used."""

    upstream: Upstream
    model: str
    release: Release | None
    find_domain: Callable[[], str]

    @property
    def domain(self) -> str:
        """The question's domain; its words are looked at once, and only when something depends on them."""
        return self.find_domain()


class Routing:
    """Resolves the alias of the settings to what is released; reads the releases again when their file changes."""

    def __init__(self, workspace: Workspace, config: Config, upstream: Upstream) -> None:
        self._workspace, self._config = workspace, config
        self._own = hide_password(config.gateway.upstream.rstrip("/"))
        self._upstreams = {self._own: upstream}
        self._releases: list[Release] = []
        self._state: atomic.FileState | None = None
        self._missed: set[int] = set()

    async def route(
        self, model: str, conversation: Conversation, headers: "Mapping[str, str]", *, any_name: bool
    ) -> Route:
        """Return the route of a question that a client sends to ``model``.

        The alias stands for the adapter of the question's domain, for that of all domains where it has none, or for
        the base. So does a name that the server does not have, if ``any_name``: clients of another provider know
        that provider's names only. Every other name is the server's own.
        """
        find_domain, known = cache(partial(self.domain_of, conversation)), self._current_releases()
        own = self._upstreams[self._own]
        if model != self._config.gateway.alias and not (any_name and model not in await own.models(headers)):
            named = (one for one in releases.live(known).values() if one.target == _TARGET and one.served_name == model)
            return Route(own, model, next(named, None), find_domain)
        has_released = any(one.target == _TARGET for one in known)
        chosen = find_release(known, find_domain(), conversation) if has_released else None
        if chosen is not None and chosen.served_name:
            upstream = self._upstream_at(chosen.location)
            if await self._serves(upstream, chosen, headers):
                return Route(upstream, chosen.served_name, chosen, find_domain)
        return Route(own, await own.model_or_default(model, headers), None, find_domain)

    def domain_of(self, conversation: Conversation) -> str:
        """Return the domain of the question that a conversation ends in."""
        collect = self._config.collect
        default, weight = collect.default_domain, collect.query_weight
        return detect(conversation.words, [], self._config.triggers, default=default, query_weight=weight).domain

    def release_for(self, domain: str, conversation: Conversation) -> Release | None:
        """Return the release that the alias stands for where a question is of ``domain``, None for the base."""
        return find_release(self._current_releases(), domain, conversation)

    def live(self) -> dict[str, str]:
        """Return the adapter that answers for each domain that has one."""
        found = releases.live(self._current_releases())
        return {domain: one.adapter for (domain, target), one in found.items() if target == _TARGET and one.adapter}

    async def close(self) -> None:
        """Close the connections to all servers but the one of the settings."""
        for address, upstream in self._upstreams.items():
            if address != self._own:
                await upstream.close()

    def _current_releases(self) -> list[Release]:
        state = atomic.FileState.of(self._workspace.releases)
        if state != self._state:
            self._state = state
            self._missed.clear()
            try:
                self._releases = releases.read_releases(self._workspace)
            except (UserError, OSError) as error:
                _log.error("the releases stay as they were: %s", error)
        return self._releases

    def _upstream_at(self, address: str) -> Upstream:
        shown = hide_password(address)
        if shown not in self._upstreams:
            gateway = self._config.gateway.model_copy(update={"upstream": self._config.address_of(address)})
            self._upstreams[shown] = Upstream(self._config.model_copy(update={"gateway": gateway}))
        return self._upstreams[shown]

    async def _serves(self, upstream: Upstream, release: Release, headers: "Mapping[str, str]") -> bool:
        """Return whether a server has the released adapter loaded; a restarted server has not."""
        if release.served_name in await upstream.models(headers):
            return True
        names = await upstream.models(headers, oldest_seconds=_RECENT_SECONDS)
        if release.served_name in names or not names:
            return True
        if release.number not in self._missed:
            self._missed.add(release.number)
            _log.error(
                "%s has no %s: the base answers; deploy it again", hide_password(release.location), release.served_name
            )
        return False


def find_release(known: Sequence[Release], domain: str, conversation: Conversation) -> Release | None:
    """Return the release that answers a question of ``domain``, None for the base.

    A release's share is a share of conversations: a hash of the first question decides for the whole conversation.
    """
    live = releases.live(known)
    for of in dict.fromkeys((domain, MULTI_DOMAIN)):
        chosen = live.get((of, _TARGET))
        while chosen is not None and not _is_in_share(chosen, conversation):
            chosen = releases.previous_release(known, chosen)
        if chosen is not None and chosen.adapter is not None:
            return chosen
    return None


def _is_in_share(release: Release, conversation: Conversation) -> bool:
    if release.share == 1:
        return True
    drawn = hashlib.sha256(conversation.first_question.key + str(release.number).encode()).digest()
    return int.from_bytes(drawn[:8]) < release.share * 2**64
