"""However a client joins a base URL with a path, it reaches the endpoint that is meant."""

import pytest

from weakspot.gateway.paths import canonical_path


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        *(
            (one, "/v1/chat/completions")
            for one in ("/chat/completions", "/v1/chat/completions/", "//v1/chat/completions")
        ),
        *((one, "/v1/chat/completions") for one in ("/v1//chat/completions", "/v1/v1/v1/chat/completions//")),
        *((one, "/v1/messages") for one in ("/messages", "//v1/messages", "/v1/v1/messages", "/v1/messages/")),
        *((one, "/v1/models") for one in ("/models", "/v1/models/", "/v1/v1/models")),
        *(
            (one, "/v1/chat/completions")
            for one in ("/V1/chat/completions", "/v1/Chat/Completions", "/api/v1/chat/completions/")
        ),
        ("/anthropic/v1/messages?beta=true", "/v1/messages?beta=true"),
        ("/messages?beta=true", "/v1/messages?beta=true"),
        ("/v1/messages/?beta=//v1", "/v1/messages?beta=//v1"),
        ("/messages/count_tokens", "/v1/messages/count_tokens"),
        ("/v1/v1/models/expert/sonnet", "/v1/models/expert/sonnet"),
        ("/v1/v1/completions", "/v1/completions"),
    ],
)
def test_an_endpoint_is_known(written, meant):
    assert canonical_path(written) == meant
    assert canonical_path(meant) == meant


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/",
            "",
            "/v1",
            "/v1/",
            "/props",
            "/completions",
            "/embeddings",
            "/models/load",
            "/v10/messages",
            "/api/chat",
        ),
        *("/v1/a%2fb/../c?d=%C3%BC&e", "//evil.example/v1/messages", "http://evil.example/v1/messages", "*", "@evil"),
        *("/messages/a", "/v1/chat", "/chat/completions/x"),
    ],
)
def test_any_other_path_stays_as_it_is(path):
    assert canonical_path(path) == path
