"""Paths of the gateway's endpoints, those that are passed on, and the endpoint that is meant by another spelling."""

import functools
import re

CHAT, MESSAGES, MODELS = "/v1/chat/completions", "/v1/messages", "/v1/models"
RESPONSES, FEEDBACK = "/v1/responses", "/v1/feedback"
COUNT = f"{MESSAGES}/count_tokens"
# Local servers have endpoints of their own under the bare names of the others.
_MEANT_WITHOUT_V1 = (CHAT, MESSAGES, COUNT, RESPONSES, MODELS)
ENDPOINTS = (*_MEANT_WITHOUT_V1, FEEDBACK, "/v1/completions", "/v1/embeddings")
_WRITTEN = re.compile(r"((?:/v1)*)(/.*?)/?", re.IGNORECASE)
# Behind the rest of another provider's base URL, such as /api/v1 or /anthropic/v1.
_BEHIND_ANOTHER = re.compile(rf"/(?!/).*({CHAT}|{MESSAGES}|{COUNT}|{RESPONSES})/?", re.IGNORECASE)
# Endpoints for conversations in protocols that only their server knows.
_CONVERSATIONS = ("/chat/completions", "/messages", "/api/chat")
# Their protocol sends files, as parts of a form.
UPLOADS = frozenset(
    f"/v1/{name}" for name in ("audio/transcriptions", "audio/translations", "images/edits", "images/variations")
)
# What a local model is asked for, as [gateway] pass writes it. Endpoints that load, change or stop something, or show
# what others asked, are not for clients: weakspot deploys adapters by a client of its own.
_INFERENCE = (
    f"GET {MODELS}/**",
    *(
        f"POST /v1/{name}"
        for name in (
            *("completions", "embeddings", "moderations", "rerank", "score", "classify", "pooling"),
            *("audio/speech", "audio/transcriptions", "audio/translations"),
            *("images/generations", "images/edits", "images/variations"),
        )
    ),
    *(
        f"POST /{name}"
        for name in (
            *("v2/rerank", "rerank", "reranking", "score", "classify", "pooling"),
            *("completions", "embeddings", "completion", "embedding", "infill"),
        )
    ),
)
# A path that a server could read as another one.
_AMBIGUOUS = re.compile(r"[%\\;\s\x00-\x1f]|/\.{1,2}(/|$)")


def canonical_path(path: str) -> str:
    """Return the path of the endpoint that is meant, with the query; a path of no endpoint stays as it is.

    Clients put ``/v1`` behind a base URL or leave it out, so that it comes twice or not at all, and join with one
    slash too many: sigoden/aichat#767, NousResearch/hermes-agent#65488, CherryHQ/cherry-studio#10229.
    """
    if path in ENDPOINTS:
        return path
    given, question, query = path.partition("?")
    if (behind := _BEHIND_ANOTHER.fullmatch(given)) is not None:
        return behind[1].lower() + question + query
    if (written := _WRITTEN.fullmatch(re.sub("/+", "/", given))) is None:
        return path
    meant = f"/v1{written[2]}"
    meant = meant.lower() if meant.lower() in ENDPOINTS else meant
    is_below = meant.startswith(f"{RESPONSES}/") or (written[1] != "" and meant.startswith(f"{MODELS}/"))
    known = meant in (ENDPOINTS if written[1] else _MEANT_WITHOUT_V1)
    return meant + question + query if known or is_below else path


def holds_conversation(path: str) -> bool:
    """Whether a path that is none of the endpoints is one to which clients send conversations."""
    return path.partition("?")[0].rstrip("/").lower().endswith(_CONVERSATIONS)


def is_passed_on(method: str, path: str, more: tuple[str, ...]) -> bool:
    """Whether a request goes on to the local model's server: an inference endpoint, or one of ``more``.

    ``path`` is decoded, and that of the endpoint that is meant; ``more`` is as ``[gateway] pass`` writes it.
    """
    asked = f"{'GET' if method == 'HEAD' else method} {path}"
    return _compile(more).fullmatch(asked) is not None and _AMBIGUOUS.search(path) is None


@functools.cache
def _compile(more: tuple[str, ...]) -> re.Pattern[str]:
    """Compile endpoints in which * is one part of a path, and ** one or more."""
    escaped = (re.escape(entry) for entry in (*_INFERENCE, *more))
    return re.compile("|".join(one.replace(r"\*\*", ".+").replace(r"\*", "[^/]+") for one in escaped))
