"""Recipients: the addresses to which the settings send conversations, and the variables whose values go there.

A command that the settings run is agreed to in the same way.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from weakspot.access.request_guard import is_loopback
from weakspot.config import Config
from weakspot.records import Target
from weakspot.teachers import address_of
from zddc.addresses import hide_password

# Each provider's own variables, and the hosts to which they belong.
_HOSTS_BY_VARIABLE = {
    "ANTHROPIC_API_KEY": ("api.anthropic.com",),
    "OPENAI_API_KEY": ("api.openai.com",),
    "GEMINI_API_KEY": ("generativelanguage.googleapis.com",),
    "GOOGLE_API_KEY": ("generativelanguage.googleapis.com",),
    "MISTRAL_API_KEY": ("api.mistral.ai",),
    "GROQ_API_KEY": ("api.groq.com",),
    "DEEPSEEK_API_KEY": ("api.deepseek.com",),
    "OPENROUTER_API_KEY": ("openrouter.ai",),
    "TOGETHER_API_KEY": ("api.together.xyz", "api.together.ai"),
    "FIREWORKS_API_KEY": ("api.fireworks.ai",),
    "XAI_API_KEY": ("api.x.ai",),
    "MOONSHOT_API_KEY": ("api.moonshot.ai", "api.moonshot.cn"),
    "HF_TOKEN": ("router.huggingface.co",),
    "GITHUB_TOKEN": ("models.github.ai",),
}

# A user, a backslash, and what is not printed: each of them has hidden another host before.
_AMBIGUOUS = re.compile(r"[\\@]|[^!-~]")
# Before a command, where an address would stand: no address begins so.
_COMMAND = "command "
_MODEL_KEY = re.compile(r"(?!.*(?:SECRET|PRIVATE|ACCESS))(?:.*_)?KEY")
_SERVED: tuple[Target, ...] = ("vllm", "ollama", "gateway")


@dataclass(frozen=True, order=True)
class Recipient:
    """An address, and the environment variable whose value goes there, empty for none; or a command that is run."""

    address: str
    variable: str

    @property
    def command(self) -> str:
        """The command, empty if it is an address."""
        return self.address.removeprefix(_COMMAND) if self.address.startswith(_COMMAND) else ""

    @property
    def act(self) -> str:
        """What would be done, for people."""
        return self.shown if self.command else f"send {self.shown}"

    @property
    def shown(self) -> str:
        """What would be sent where, or run, for people; an address is shown without its password."""
        if self.command:
            return f"run {self.command!r}"
        return f"{self.variable or 'conversations'} to {hide_password(self.address)}"

    @property
    def is_loopback(self) -> bool:
        """Whether the address is of this machine."""
        return is_loopback(_host(self.address))

    @property
    def is_own(self) -> bool:
        """Whether the address is a provider's own, and the variable is that provider's or none."""
        host = _host(self.address)
        hosts = _HOSTS_BY_VARIABLE.get(self.variable, ()) if self.variable else _all_hosts()
        return self.address.startswith("https://") and host in hosts

    @property
    def has_model_key(self) -> bool:
        """Whether the variable's name says that it holds a model server's key, and not any other secret."""
        return _MODEL_KEY.fullmatch(self.variable) is not None


def all_recipients(config: Config) -> list[Recipient]:
    """Return where the settings send anything, from the gateway and at a deployment, and the commands that they run."""
    return [*gateway_recipients(config), *deployment_recipients(config), *training_recipients(config)]


def gateway_recipients(config: Config) -> list[Recipient]:
    """Return where the gateway sends what: to the local model's server and to every teacher."""
    return [*server_recipients(config, [config.gateway.upstream]), *teacher_recipients(config)]


def teacher_recipients(config: Config, names: Iterable[str] | None = None) -> list[Recipient]:
    """Return where teachers are asked, all of them or those that are named."""
    chosen = config.teachers if names is None else [name for name in names if name in config.teachers]
    tables = [config.teachers[name] for name in chosen]
    return [Recipient(address_of(teacher), teacher.api_key_env) for teacher in tables]


def server_recipients(config: Config, addresses: Iterable[str]) -> list[Recipient]:
    """Return the addresses with the variable of the local model's server, whose key any of them would get."""
    return [Recipient(address.rstrip("/"), config.gateway.upstream_api_key_env) for address in addresses]


def deployment_recipients(config: Config, target: Target | None = None, server: str = "") -> list[Recipient]:
    """Return the server to which a deployment would go; none where it only writes files."""
    target = target or config.deploy.target
    address = server or config.deploy.server or (config.gateway.upstream if target != "ollama" else "")
    return server_recipients(config, [address]) if target in _SERVED and address else []


def training_recipients(config: Config) -> list[Recipient]:
    """Return the commands that run around a training, and the server that is put to sleep for it."""
    commands = [one for one in (config.watch.before_training, config.watch.after_training) if one]
    sleeping = [config.deploy.server or config.gateway.upstream] if config.watch.sleep_vllm else []
    return [*(Recipient(f"{_COMMAND}{one}", "") for one in commands), *server_recipients(config, sleeping)]


def _host(address: str) -> str:
    """Return the host of an address, empty where two programs might read different hosts in it."""
    if _AMBIGUOUS.search(address):
        return ""
    try:
        return (urlsplit(address).hostname or "").lower()
    except ValueError:
        return ""


def _all_hosts() -> set[str]:
    return {host for hosts in _HOSTS_BY_VARIABLE.values() for host in hosts}
