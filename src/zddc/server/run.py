"""Runs the server: its socket, its certificate, its threads, and its end."""

import asyncio
import contextlib
import logging
import resource
import signal
import socket
import ssl
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zddc.access.policy import Policy
from zddc.access.rules import READ, Rule, Rules
from zddc.errors import UserError
from zddc.server.answer import answer_text
from zddc.server.app import App, Options
from zddc.server.audit import Audit
from zddc.server.metrics import Metrics
from zddc.server.sending import Receive, Send, send_answer
from zddc.server.settings import NO_TLS, SELF_SIGNED, Address, Settings
from zddc.server.stale_parts import StalePartRemover
from zddc.server.threads import Threads
from zddc.server.watching import Watcher

if TYPE_CHECKING:
    from granian.server.embed import Server

# For those who wait for a disk; more than a person's browser opens at once.
_THREADS = 64
_HEADER_MS = 10_000
_BUFFER_BYTES = 64 * 1024  # of a connection
# More than are answered at once, so that those who only keep a connection open keep nobody out.
_MOST_CONNECTIONS, _WAITING_CONNECTIONS = 4096, 1024
_FILES_A_CONNECTION = 2  # itself, and what is sent
_SECONDS_TO_FINISH = 30
_SOCKET_MODE = 0o660

_logger = logging.getLogger(__name__)


def run(settings: Settings, say: Callable[[str], None]) -> None:
    """Serve until a signal ends it; ``say`` is told where, and what a person should know. Raises :class:`UserError`."""
    with contextlib.ExitStack() as stack:
        policy = stack.enter_context(open_policy(settings))
        listen = stack.enter_context(_claim(settings.listen))
        files = stack.enter_context(_certificate(settings, say))
        audit = open_audit(settings)
        stack.enter_context(audit.running())
        metrics = Metrics()
        _allow_files(_FILES_A_CONNECTION * _MOST_CONNECTIONS)
        watcher = stack.enter_context(Watcher(settings.root, settings.rescan_seconds))
        options = Options(settings.most_bytes, settings.origins)
        app = App(settings.root, policy, settings.identity, watcher, audit, metrics, options)
        if settings.most_bytes:
            stack.enter_context(StalePartRemover(policy, watcher))
        servers = [_server(app, listen, files)]
        if settings.metrics_listen:
            metrics_listen = stack.enter_context(_claim(settings.metrics_listen))
            servers.append(_server(_metrics_app(metrics, audit), metrics_listen, None))
        if not settings.has_rules and not settings.is_public:
            say("the root has no rule file, so nobody reads what no other rule file allows")
        where = str(listen) if listen.socket else f"http{'s' if files else ''}://{listen}/"
        say(f"serving {settings.root} at {where}{_as(settings)}")
        asyncio.run(_serve(servers, app, lambda: _reread(servers[0], files)))


def _allow_files(count: int) -> None:
    """Let this process have so many files open, as far as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:
        count = min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


def open_policy(settings: Settings) -> Policy:
    """Return the rules of the root; where it has none and is public, people with and without an address may read."""
    if not settings.is_public:
        return Policy(settings.root)
    everybody = tuple(Rule("--public", pattern, READ, 0) for pattern in ("*", "anonymous"))
    return Policy(settings.root, rules_of_bare_root=Rules(grants=everybody))


def check_files(settings: Settings) -> None:
    """Raise :class:`UserError` where the server could not listen, or not read its certificate."""
    with _claim(settings.listen):
        pass
    if isinstance(settings.tls, tuple):
        _require_certificate(*settings.tls)


def _as(settings: Settings) -> str:
    return f" as {settings.identity.local}; Ctrl-C ends it" if settings.identity.local else ""


def open_audit(settings: Settings) -> Audit:
    """Return where the audit goes; raise :class:`UserError` where it cannot be written there, by this server alone."""
    try:
        return Audit(settings.audit_log)
    except OSError as error:
        problem = f"the audit cannot be written there: {str(error.strerror).lower()}"
        raise UserError(
            settings.audit_log, problem, "give --audit-log FILE, '-' for standard error, or 'off'"
        ) from None


@contextlib.contextmanager
def _claim(address: Address) -> Iterator[Address]:
    """Yield an address with its port, when nothing else listens there; within the block the system gives it nobody."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.socket(family) as holder:
        try:
            if address.socket:
                _remove_stale(address.socket)
            else:
                holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                holder.bind((address.host, address.port))
                address = Address(address.host, holder.getsockname()[1])
        except OSError as error:
            problem = f"cannot listen there: {str(error.strerror or error).lower()}"
            raise UserError(f"--listen {address}", problem, "end what listens there, or give another") from None
        yield address


def _remove_stale(file: Path) -> None:
    """Remove a socket file that nothing listens on any more."""
    if not file.parent.is_dir():
        raise NotADirectoryError(0, "the folder is not there")
    if not file.exists():
        return
    if not stat.S_ISSOCK(file.lstat().st_mode):
        raise FileExistsError(0, "something else is there")
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(file))
        except ConnectionRefusedError:
            file.unlink()
        else:
            raise FileExistsError(0, "another server listens there")


@contextlib.contextmanager
def _certificate(settings: Settings, say: Callable[[str], None]) -> Iterator[tuple[Path, Path] | None]:
    """Yield the files of the certificate and of its key, None without TLS."""
    if settings.tls == NO_TLS:
        yield None
    elif settings.tls == SELF_SIGNED:
        from zddc.server.certificates import make_certificate

        with tempfile.TemporaryDirectory() as folder:
            *files, fingerprint = make_certificate(Path(folder), settings.listen.host or "127.0.0.1")
            say(f"no browser knows the certificate; its SHA-256 is {fingerprint}")
            yield files[0], files[1]
    else:
        certificate, key = Path(settings.tls[0]), Path(settings.tls[1])
        _require_certificate(certificate, key)
        yield certificate, key


def _require_certificate(certificate: Path, key: Path) -> None:
    try:
        certificate.read_bytes()  # what cannot be read is named by the system, and not by the library for TLS
        if "-----BEGIN PRIVATE KEY-----" not in key.read_text(encoding="latin-1"):
            raise UserError(key, "no key in the form PKCS#8", "convert it with 'openssl pkcs8 -topk8 -nodes -in KEY'")
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    except ssl.SSLError as error:
        problem = f"does not fit the key {key}" if error.reason == "KEY_VALUES_MISMATCH" else "no certificate"
        raise UserError(certificate, problem, "give --tls CERT,KEY in PEM") from None


def _server(app: Any, address: Address, files: tuple[Path, Path] | None) -> "Server":
    from granian.constants import HTTPModes, Interfaces, SSLProtocols
    from granian.http import HTTP1Settings
    from granian.server.embed import Server

    server = Server(
        app,
        address=address.host,
        port=address.port,
        uds=address.socket,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        backlog=_WAITING_CONNECTIONS,
        backpressure=_MOST_CONNECTIONS,
        http1_settings=HTTP1Settings(header_read_timeout=_HEADER_MS, max_buffer_size=_BUFFER_BYTES),
        websockets=False,
        log_enabled=False,
        ssl_cert=files[0] if files else None,
        ssl_key=files[1] if files else None,
        ssl_protocol_min=SSLProtocols.tls12,
    )
    server.uds_permissions = _SOCKET_MODE
    return server


def _metrics_app(metrics: Metrics, audit: Audit) -> Callable[[dict[str, Any], Receive, Send], Any]:
    async def answer_metrics(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        is_asked = scope["raw_path"] == b"/metrics" and scope["method"] == "GET"
        answer = answer_text(200, metrics.text(audit.failures)) if is_asked else answer_text(404, "see /metrics")
        await send_answer(answer, receive, send, {"method": scope["method"]})

    return answer_metrics


def _reread(server: "Server", files: tuple[Path, Path] | None) -> None:
    """Read the certificate and its key again; where they do not fit any more, those that were read before are kept."""
    from granian.constants import SSLProtocols

    if files is None:
        return
    try:
        _require_certificate(*files)
        server.build_ssl_context(*files, None, SSLProtocols.tls12, None, [], False)
    except (UserError, OSError) as error:
        _logger.error("%s; the certificate that was read before is kept", error)
        return
    server.reload()  # type: ignore[no-untyped-call]
    _logger.info("the certificate was read again")


async def _serve(servers: "list[Server]", app: App, reread: Callable[[], None]) -> None:
    """Serve until a signal comes; then finish what is being answered, for a while. SIGHUP has files read again.

    The first server is the one of the application.
    """
    from zddc.server.direct import worker_of

    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    loop.add_signal_handler(signal.SIGHUP, reread)
    with Threads.of_this_loop(_THREADS) as threads:
        serving = [servers[0].serve(worker_of(app, threads)), *(server.serve() for server in servers[1:])]
        tasks = [asyncio.create_task(one) for one in serving]
        waiting = asyncio.create_task(ended.wait())
        await asyncio.wait([waiting, *tasks], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if not ended.is_set():
            raise RuntimeError("the server ended by itself")
        for server in servers:
            server.stop()  # type: ignore[no-untyped-call]
        await asyncio.wait(tasks, timeout=_SECONDS_TO_FINISH)
