"""Memory of finished responses, for clients of the Responses API that send only what is new."""

import json
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, NamedTuple

from weakspot.gateway.upstream import GatewayError
from weakspot.protocols.responses_requests import Item


class _Remembered(NamedTuple):
    """A response and the items that its request added to those of ``previous``, both as JSON; ``ids`` of its output."""

    previous: str | None
    added: bytes
    response: bytes
    ids: tuple[str, ...]


class ResponseCache:
    """Keeps responses until all together are larger than ``most_bytes``; then those that were unused longest go.

    A conversation is the chain of its responses: using one uses all before it.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes, self._bytes = most_bytes, 0
        self._responses: OrderedDict[str, _Remembered] = OrderedDict()
        self._items: dict[str, str] = {}  # which response each item belongs to

    def keep(self, added: list[Item], response: dict[str, Any]) -> None:
        """Remember a response, and the items that its request added to the conversation."""
        ids = tuple(item["id"] for item in response["output"])
        one = _Remembered(
            response["previous_response_id"], json.dumps(added).encode(), json.dumps(response).encode(), ids
        )
        self._responses[response["id"]] = one
        self._items |= dict.fromkeys(ids, response["id"])
        self._bytes += len(one.added) + len(one.response)
        while self._bytes > self._most_bytes:
            self._forget(next(iter(self._responses)))

    def conversation(self, identity: str) -> list[Item]:
        """Return all items up to a response, with its own; raise :class:`GatewayError` where one is not remembered."""
        chain = list(self._chain(identity))
        for name, _ in reversed(chain):
            self._responses.move_to_end(name)
        pieces = [[*json.loads(one.added), *json.loads(one.response)["output"]] for _, one in reversed(chain)]
        return [item for piece in pieces for item in piece]

    def _chain(self, identity: str) -> Iterator[tuple[str, _Remembered]]:
        """Yield a response and those before it, the last first."""
        name: str | None = identity
        while name is not None:
            if (one := self._responses.get(name)) is None:
                message = f"Previous response with id '{identity[:80]}' not found."
                raise GatewayError(400, message, "previous_response_not_found", "previous_response_id")
            yield name, one
            name = one.previous

    def with_references(self, items: list[Item]) -> list[Item]:
        """Return items with those in the place of references to them; raise :class:`GatewayError` for unknown ones."""
        return [self._referenced(str(item.get("id"))) if _is_reference(item) else item for item in items]

    def _referenced(self, identity: str) -> Item:
        response = self._responses.get(self._items.get(identity, ""))
        output: list[Item] = json.loads(response.response)["output"] if response else []
        for item in output:
            if item["id"] == identity:
                return item
        raise GatewayError(404, f"Item with id '{identity[:80]}' not found.", "item_not_found", "input")

    def answer(self, method: str, identity: str, part: str, query: dict[str, str]) -> dict[str, Any] | None:
        """Return what a request about a response gets: itself, its ``input_items``, or that it is forgotten now.

        None is for a request of another kind. Raises :class:`GatewayError` for a response that is not remembered.
        """
        match method, part:
            case "GET", "" if query.get("stream") != "true":
                found: dict[str, Any] = json.loads(self._find(identity).response)
                return found
            case "GET", "input_items":
                one = self._find(identity)
                items = [*(self.conversation(one.previous) if one.previous else ()), *json.loads(one.added)]
                return {
                    "object": "list",
                    "data": items if query.get("order") == "asc" else items[::-1],
                    "has_more": False,
                }
            case "DELETE", "":
                self._find(identity)
                self._forget(identity)
                return {"id": identity, "object": "response", "deleted": True}
        return None

    def _find(self, identity: str) -> _Remembered:
        if (one := self._responses.get(identity)) is None:
            raise GatewayError(404, f"Response with id '{identity[:80]}' not found.", "response_not_found")
        return one

    def _forget(self, identity: str) -> None:
        gone = self._responses.pop(identity)
        self._bytes -= len(gone.added) + len(gone.response)
        for name in gone.ids:
            self._items.pop(name, None)


def _is_reference(item: Item) -> bool:
    """Whether an item only names another one; the word for it may be left out."""
    return item.get("type") == "item_reference" or (set(item) == {"id"})
