"""Takes what readers think of teachers' answers, and stores it as decisions."""

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from weakspot.capture.feedback import store_feedback
from weakspot.config import Config
from weakspot.gateway.schemas import parse_json_body
from weakspot.gateway.upstream import GatewayError
from weakspot.records.interactions import LONGEST_COMMENT
from weakspot.records.parsing import explain
from weakspot.workspace import Workspace
from zddc.errors import UserError

if TYPE_CHECKING:
    from aiohttp import web

_log = logging.getLogger(__name__)


class Feedback(BaseModel):
    """What a reader thinks of a teacher's answer: the id of the answer or of its record, a thumb, and a comment."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(min_length=1, max_length=200)
    rating: Literal["up", "down"]
    comment: str = Field("", max_length=LONGEST_COMMENT)


class FeedbackStore:
    """Stores feedback one after the other: each reads the whole journal, in a thread."""

    def __init__(self, workspace: Workspace, config: Config) -> None:
        self._workspace, self._config = workspace, config
        self._lock = asyncio.Lock()

    async def take(self, request: "web.Request") -> "web.StreamResponse":
        """Store the feedback in a request; answer with the id of the record that it is about."""
        from aiohttp import web

        given = parse_feedback((await parse_json_body(request))[1])
        try:
            async with self._lock:
                found = await asyncio.to_thread(
                    store_feedback, self._workspace, self._config, given.id, given.comment, up=given.rating == "up"
                )
        except (OSError, UserError) as error:
            _log.error("feedback is not stored: %s", error)
            raise GatewayError(503, "the feedback could not be stored; try again later") from None
        if found is None:
            raise GatewayError(404, "no record has this id: only answers of teachers are recorded")
        return web.json_response({"interaction_id": found, "rating": given.rating})


def parse_feedback(body: dict[str, Any]) -> Feedback:
    """Return the feedback in a body; raise :class:`GatewayError` for any other body."""
    try:
        return Feedback.model_validate(body)
    except ValidationError as error:
        raise GatewayError(400, f'{explain(error)}; send {{"id", "rating": "up" or "down"[, "comment"]}}') from None
