"""Paths of the gateway's endpoints, and the endpoint that is meant where a base URL is written otherwise."""

import re

CHAT, MESSAGES, MODELS = "/v1/chat/completions", "/v1/messages", "/v1/models"
RESPONSES = "/v1/responses"
COUNT = f"{MESSAGES}/count_tokens"
# Local servers have endpoints of their own under the bare names of the others.
_MEANT_WITHOUT_V1 = (CHAT, MESSAGES, COUNT, RESPONSES, MODELS)
ENDPOINTS = (*_MEANT_WITHOUT_V1, "/v1/completions", "/v1/embeddings")
# Their protocol sends files, as parts of a form.
UPLOADS = frozenset(
    f"/v1/{name}" for name in ("audio/transcriptions", "audio/translations", "images/edits", "images/variations")
)
_WRITTEN = re.compile(r"((?:/v1)*)(/.*?)/?")


def canonical_path(path: str) -> str:
    """Return the path of the endpoint that is meant, with the query; a path of no endpoint stays as it is.

    Clients put ``/v1`` behind a base URL or leave it out, so that it comes twice or not at all, and join with one
    slash too many: sigoden/aichat#767, NousResearch/hermes-agent#65488, CherryHQ/cherry-studio#10229.
    """
    given, question, query = path.partition("?")
    if (written := _WRITTEN.fullmatch(re.sub("/+", "/", given))) is None:
        return path
    meant = f"/v1{written[2]}"
    known = meant in ENDPOINTS or meant.startswith(f"{MODELS}/") if written[1] else meant in _MEANT_WITHOUT_V1
    return meant + question + query if known else path
