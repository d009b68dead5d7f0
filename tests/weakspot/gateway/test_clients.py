"""Clients go by their own names, however many libraries stand in their header as well."""

import pytest

from weakspot.gateway.clients import client_name


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("claude-cli/2.1.197 (external, cli)", "Claude Code"),
        ("opencode/1.18.33 ai-sdk/provider-utils/4.0.1 runtime/bun/1.3", "opencode"),
        ("ai-sdk/openai-compatible/1.0.0 ai-sdk/provider-utils/3.0.0 runtime/node.js/20", "AI SDK"),
        ("OpenAI/Python 2.14.0", "OpenAI SDK"),
        ("Anthropic/JS 0.70.0", "Anthropic SDK"),
        ("curl/8.14.1", "curl"),
        ("", "other"),
        ("Mozilla/5.0 <script>", "other"),
    ],
)
def test_a_client_has_one_of_a_few_names(header, name):
    assert client_name(header) == name
