"""What the settings would send where, and which addresses are this machine's or a provider's own."""

import pytest

from weakspot.config import load
from weakspot.trust.recipients import (
    Recipient,
    deployment_recipients,
    gateway_recipients,
    teacher_recipients,
)

NO_FILE = "no-such-folder"


def loaded(tmp_path, *settings):
    return load(tmp_path / NO_FILE, settings)


def test_the_shipped_settings_send_to_this_machine_and_to_the_providers_own_host(tmp_path):
    found = set(gateway_recipients(loaded(tmp_path)))
    assert found == {
        Recipient("http://localhost:8000/v1", ""),
        Recipient("https://api.anthropic.com", "ANTHROPIC_API_KEY"),
    }
    assert all(one.is_own or one.is_loopback for one in found)


def test_a_deployment_sends_to_its_server_with_the_upstreams_key(tmp_path):
    config = loaded(tmp_path, "gateway.upstream_api_key_env=KEY", "deploy.server=http://far:1/")
    assert deployment_recipients(config) == []  # it only writes files
    assert deployment_recipients(config, "vllm") == [Recipient("http://far:1", "KEY")]
    assert deployment_recipients(config, "gateway", "http://near:2") == [Recipient("http://near:2", "KEY")]
    assert deployment_recipients(loaded(tmp_path), "ollama") == []
    assert teacher_recipients(config, ["opus", "nobody"]) == [
        Recipient("https://api.anthropic.com", "ANTHROPIC_API_KEY")
    ]


@pytest.mark.parametrize(
    ("address", "loopback"),
    [
        ("http://127.0.0.1:1/v1", True),
        ("http://localhost", True),
        ("http://[::1]:8000/v1", True),
        ("http://LOCALHOST:1", True),
        ("http://localhost.evil.test", False),
        ("http://127.0.0.1.evil.test", False),
        ("http://10.0.0.1", False),
        ("http://0.0.0.0", False),
        ("http://127.0.0.1@evil.test", False),
        ("http://evil.test\\@127.0.0.1", False),
        ("http://evil.test#@localhost", False),
        ("http://localhost\t.evil.test", False),
        ("http://\u2488localhost", False),
        ("http://[", False),
        ("", False),
    ],
)
def test_an_address_is_this_machines_only_where_all_programs_agree(address, loopback):
    assert Recipient(address, "").is_loopback == loopback


@pytest.mark.parametrize(
    ("address", "variable", "own"),
    [
        ("https://api.anthropic.com/v1", "ANTHROPIC_API_KEY", True),
        ("https://api.openai.com/v1", "OPENAI_API_KEY", True),
        ("https://api.openai.com/v1", "ANTHROPIC_API_KEY", False),
        ("https://api.openai.com/v1", "GITHUB_TOKEN", False),
        ("https://api.openai.com/v1", "", True),
        ("http://api.openai.com/v1", "OPENAI_API_KEY", False),
        ("https://api.openai.com.evil.test", "OPENAI_API_KEY", False),
        ("https://api.openai.com@evil.test", "OPENAI_API_KEY", False),
        ("https://evil.test/api.openai.com", "OPENAI_API_KEY", False),
    ],
)
def test_a_key_is_at_home_only_at_its_own_provider(address, variable, own):
    assert Recipient(address, variable).is_own == own


def test_a_password_is_not_shown():
    assert Recipient("http://me:secret@host/v1", "KEY").shown == "KEY to http://host/v1"
    assert Recipient("http://host/v1", "").shown == "conversations to http://host/v1"
