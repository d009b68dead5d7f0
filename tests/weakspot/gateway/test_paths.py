"""However a client joins a base URL with a path, it reaches the endpoint that is meant."""

import pytest

from weakspot.gateway.paths import canonical_path, is_passed_on


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


@pytest.mark.parametrize(
    "request_",
    [
        *("POST /v1/completions", "POST /v1/embeddings", "POST /rerank", "POST /v1/audio/transcriptions"),
        *("GET /v1/models/Qwen/Qwen2.5-7B", "HEAD /v1/models/x", "POST /tokenize", "GET /v1/files/f1", "GET /docs/a/b"),
    ],
)
def test_inference_and_what_the_settings_open_is_passed_on(request_):
    method, path = request_.split(" ")
    assert is_passed_on(method, path, ("POST /tokenize", "GET /v1/files/*", "GET /docs/**"))


@pytest.mark.parametrize(
    "request_",
    [
        *(
            "GET /v1/completions",
            "POST /v1/completions/x",
            "POST /V1/completions",
            "POST v1/completions",
            "get /docs/a",
        ),
        *("GET /v1/files/f1/content", "GET /v1/files/", "DELETE /v1/files/f1", "POST /tokenizeX", "POST /detokenize"),
        *("GET /v1/models/../slots", "GET /v1/models/a/..", "GET /v1/models/%2e%2e/slots", "GET /v1/models/..;/slots"),
        *("GET /docs/..\\slots", "GET /docs/./a", "GET /docs/a\nb"),
    ],
)
def test_nothing_else_is_passed_on(request_):
    method, _, path = request_.partition(" ")
    assert not is_passed_on(method, path, ("POST /tokenize", "GET /v1/files/*", "GET /docs/**"))
