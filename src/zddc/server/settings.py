"""Holds what the server is told to do, and finds every reason for which it must not start."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from urllib.parse import urlsplit

from zddc.access.patterns import parse_email
from zddc.access.rules import RULE_FILE
from zddc.errors import UserError
from zddc.server.environment import DIRECT, check_environment, tls_of
from zddc.server.identity import UNIX, Identity
from zddc.server.tokens import FOLDER, TokenStore

EMAIL_HEADER = "X-Auth-Request-Email"
DEFAULT_LISTEN = "127.0.0.1:8443"
DEFAULT_RESCAN = 600
DEFAULT_MOST_BYTES = 4 * 1024**3  # of a file that is handed in
SELF_SIGNED, NO_TLS = "self-signed", "none"

_WIDEST = {4: 8, 6: 32}
_SHORTEST_SECRET = 16
_HOSTS = {"localhost": "127.0.0.1"}


@dataclass(frozen=True, slots=True)
class Given:
    """The options as they were given, None for those that were not."""

    root: Path
    listen: str = DEFAULT_LISTEN
    tls: str | None = None
    trusted_proxy: Sequence[str] = ()
    email_header: str | None = None
    proxy_secret_file: Path | None = None
    as_email: str | None = None
    public: bool = False
    audit_log: str | None = None
    rescan: int = DEFAULT_RESCAN
    metrics_listen: str | None = None
    drop: bool = True
    max_file_bytes: int = DEFAULT_MOST_BYTES
    cors_origin: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server listens: a host and a port, or the file of a socket."""

    host: str = ""
    port: int = 0
    socket: Path | None = None

    @property
    def is_local(self) -> bool:
        """Whether only this machine gets there."""
        return self.socket is not None or ip_address(self.host).is_loopback

    def __str__(self) -> str:
        if self.socket:
            return f"{UNIX}:{self.socket}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Settings:
    """What the server does: ``tls`` is "none", "self-signed", or the files of a certificate and its key.

    ``most_bytes`` is of a file that is handed in, 0 where none is taken; ``origins`` are those whose pages may read.
    """

    root: Path
    listen: Address
    tls: str | tuple[Path, Path]
    identity: Identity
    is_public: bool
    audit_log: str
    rescan_seconds: int
    metrics_listen: Address | None
    has_rules: bool
    most_bytes: int
    origins: frozenset[str]


def make_settings(given: Given, environment: Mapping[str, str]) -> Settings:
    """Return the settings that options and environment give; raise :class:`UserError` for what cannot be served."""
    check_environment(environment)
    listen = _address(given.listen, "--listen")
    identity = _identity(given, listen)
    if not listen.is_local and not given.trusted_proxy and not given.public:
        raise UserError(
            f"--listen {listen}",
            "others would get there, and nobody says who they are",
            "give --trusted-proxy, or --public if people without an address may read",
        )
    has_rules = _has_rules(given.root)
    if not has_rules and not listen.is_local and not given.public:
        raise UserError(
            given.root / RULE_FILE,
            "there is no rule file, so nobody would read anything",
            "write one, or give --public",
        )
    return Settings(
        root=given.root.resolve(),
        listen=listen,
        tls=_tls(given, listen, environment),
        identity=identity,
        is_public=given.public,
        audit_log=_audit_log(given),
        rescan_seconds=given.rescan,
        metrics_listen=_metrics(given.metrics_listen),
        has_rules=has_rules,
        most_bytes=given.max_file_bytes if given.drop else 0,
        origins=frozenset(map(_origin, given.cors_origin)),
    )


def _address(text: str, option: str) -> Address:
    if text.startswith(f"{UNIX}:"):
        file = text.removeprefix(f"{UNIX}:")
        if not Path(file).is_absolute():
            raise UserError(f"{option} {text}", "not the full path of a socket file", "write unix:/run/zddc/zddc.sock")
        return Address(socket=Path(file))
    host, colon, port = text.rpartition(":")
    host = _HOSTS.get(host, host.removeprefix("[").removesuffix("]"))
    try:
        ip_address(host)
        if not colon or not port.isascii() or not port.isdecimal() or int(port) > 65535:
            raise ValueError
    except ValueError:
        remedy = f"write it as {DEFAULT_LISTEN}, [::1]:8443 or unix:/run/zddc/zddc.sock"
        raise UserError(f"{option} {text}", "not an address and a port", remedy) from None
    return Address(host, int(port))


def _metrics(text: str | None) -> Address | None:
    address = _address(text, "--metrics-listen") if text else None
    if address and address.socket:
        raise UserError(f"--metrics-listen {text}", "metrics are on a port only", "write it as 127.0.0.1:9443")
    return address


def _identity(given: Given, listen: Address) -> Identity:
    for option, value in (("--email-header", given.email_header), ("--proxy-secret-file", given.proxy_secret_file)):
        if value and not given.trusted_proxy:
            raise UserError(option, "no proxy is trusted, so the header would be ignored", "give --trusted-proxy too")
    if given.as_email is not None and (given.trusted_proxy or listen.socket or not listen.is_local):
        problem = "everybody who gets here would be this person"
        raise UserError("--as", problem, "listen on 127.0.0.1, without --trusted-proxy")
    networks = [_network(text, listen) for text in given.trusted_proxy if text != UNIX]
    if UNIX in given.trusted_proxy and not listen.socket:
        raise UserError("--trusted-proxy unix", "the server listens on a port", "give the address of the proxy")
    header = given.email_header or EMAIL_HEADER
    if not header.replace("-", "").isalnum() or not header.isascii():
        raise UserError(f"--email-header {header}", "no name of a header", f"write it as {EMAIL_HEADER}")
    return Identity(
        header=header.lower(),
        networks=tuple(networks),
        trusts_unix=UNIX in given.trusted_proxy,
        secret=_secret(given.proxy_secret_file) if given.proxy_secret_file else None,
        local=_email(given.as_email) if given.as_email is not None else None,
        tokens=TokenStore(given.root / FOLDER),
    )


def _network(text: str, listen: Address) -> IPv4Network | IPv6Network:
    option = f"--trusted-proxy {text}"
    if listen.socket:
        raise UserError(option, "no peer on a socket file has an address", f"give --trusted-proxy {UNIX}")
    try:
        network = ip_network(text)
    except ValueError as error:
        raise UserError(option, str(error), f"give an address, a network such as 10.1.2.0/24, or {UNIX}") from None
    if network.prefixlen < _WIDEST[network.version]:
        remedy = f"give the address of the proxy, or a network of /{_WIDEST[network.version]} or longer"
        raise UserError(option, "too many addresses to trust", remedy)
    return network


def _secret(file: Path) -> str:
    try:
        secret = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not ASCII"
        raise UserError(file, f"cannot be read: {str(reason).lower()}", "check --proxy-secret-file") from None
    if len(secret) < _SHORTEST_SECRET or not secret.isprintable():
        problem = f"not a secret of one line and {_SHORTEST_SECRET} characters or more"
        raise UserError(file, problem, "write one with 'openssl rand -hex 32'")
    return secret


def _email(text: str) -> str:
    try:
        return parse_email(text)
    except ValueError as error:
        raise UserError(f"--as {text}", str(error), "give one address") from None


def _origin(text: str) -> str:
    split = urlsplit(text)
    if split.scheme not in ("http", "https") or not split.netloc or f"{split.scheme}://{split.netloc}" != text:
        raise UserError(f"--cors-origin {text}", "not an origin", "write it as https://tools.example, without a path")
    return text.lower()


def _has_rules(root: Path) -> bool:
    if not root.is_dir():
        problem = "not a folder" if root.exists() else "no such folder"
        raise UserError(root, problem, "give a folder that is there")
    return os.path.lexists(root / RULE_FILE)


def _tls(given: Given, listen: Address, environment: Mapping[str, str]) -> str | tuple[Path, Path]:
    plain = given.as_email is not None or listen.socket is not None
    text = given.tls or tls_of(environment) or (NO_TLS if plain else SELF_SIGNED)
    if text == NO_TLS and not listen.is_local and environment.get(DIRECT) != "1":
        problem = "what is read could be heard and changed on the way"
        raise UserError("--tls none", problem, f"give a certificate and its key, or set {DIRECT}=1")
    if text in (NO_TLS, SELF_SIGNED):
        return text
    certificate, comma, key = text.partition(",")
    if not comma:
        raise UserError(f"--tls {text}", "not two files", "write --tls CERT,KEY, self-signed or none")
    return Path(certificate), Path(key)


def _audit_log(given: Given) -> str:
    if given.audit_log:
        return given.audit_log
    if given.as_email is not None:
        return "-"
    file = given.root / ".zddc.d" / "logs" / f"audit-{os.uname().nodename}.jsonl"
    there = next(folder for folder in file.parents if folder.is_dir())
    if not os.access(there, os.W_OK):
        remedy = "give --audit-log FILE, '-' for standard error, or 'off'"
        raise UserError(there, "the audit cannot be written there", remedy)
    return str(file)
