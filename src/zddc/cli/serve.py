"""The command ``serve``: an archive for browsers and programs, by its rules."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from zddc import console
from zddc.access import findings
from zddc.archive.tree import walk
from zddc.errors import UserError
from zddc.server.environment import variables_of
from zddc.server.identity import UNIX
from zddc.server.settings import (
    DEFAULT_LISTEN,
    DEFAULT_MOST_BYTES,
    DEFAULT_RESCAN,
    EMAIL_HEADER,
    Given,
    Settings,
    make_settings,
)


def _option(name: str, variable: str, help: str, metavar: str | None = None) -> Any:
    return typer.Option(name, envvar=variables_of(variable), help=help, metavar=metavar)


Root = Annotated[Path, typer.Argument(metavar="[DIR]", envvar=variables_of("root"), help="The root of the archive.")]
Listen = Annotated[
    str, _option("--listen", "listen", "Where to listen: ADDRESS:PORT, or unix:/FILE for a socket file.", "WHERE")
]
Tls = Annotated[
    str | None,
    _option(
        "--tls",
        "tls",
        "The files of a certificate and its key in PEM as CERT,KEY; or 'self-signed', or 'none' for plain HTTP. "
        "Default: 'none' on a socket file and with --as, else 'self-signed'.",
        "HOW",
    ),
]
TrustedProxy = Annotated[
    list[str] | None,
    _option(
        "--trusted-proxy",
        "trusted_proxy",
        "Who may say in a header who is asking: an address, a network, or 'unix' for the socket file; may be repeated.",
        "ADDRESS",
    ),
]
EmailHeader = Annotated[
    str | None,
    _option("--email-header", "email_header", f"The header of the trusted proxy. Default: {EMAIL_HEADER}.", "NAME"),
]
ProxySecret = Annotated[
    Path | None,
    _option(
        "--proxy-secret-file",
        "proxy_secret_file",
        "A file with what the trusted proxy must send in X-ZDDC-Proxy-Secret too.",
        "FILE",
    ),
]
As = Annotated[
    str | None,
    _option("--as", "as_email", "Look at the archive as this person; only this machine gets there.", "EMAIL"),
]
Public = Annotated[
    bool,
    _option(
        "--public",
        "public",
        "Serve people without an address on any network; where the root has no rules, everybody reads everything.",
    ),
]
AuditLog = Annotated[
    str | None,
    _option(
        "--audit-log",
        "audit_log",
        "Where a line is written for each answer: a file, '-' for standard error, or 'off'. "
        "Default: '-' with --as, else a file in DIR/.zddc.d/logs.",
        "FILE",
    ),
]
Rescan = Annotated[
    int,
    typer.Option(
        "--rescan",
        envvar=variables_of("rescan"),
        min=0,
        metavar="SECONDS",
        help="How often all folders are looked at for changes that the system did not tell of; 0 for never.",
    ),
]
MetricsListen = Annotated[
    str | None,
    _option("--metrics-listen", "metrics_listen", "Where to give counts to Prometheus, at /metrics.", "WHERE"),
]
DropOption = Annotated[
    bool,
    typer.Option(
        "--drop/--no-drop",
        envvar=variables_of("drop"),
        help="Take files that people hand in below folders named 'incoming', where the rules let them.",
    ),
]
MaxFileBytes = Annotated[
    int,
    typer.Option(
        "--max-file-bytes",
        envvar=variables_of("max_file_bytes"),
        min=1,
        metavar="BYTES",
        help="The largest file that may be handed in.",
    ),
]
CorsOrigin = Annotated[
    list[str] | None,
    _option(
        "--cors-origin",
        "cors_origin",
        "A site, such as https://tools.example, whose pages may read with a token; may be repeated.",
        "ORIGIN",
    ),
]


def serve(
    root: Root = Path(),
    listen: Listen = DEFAULT_LISTEN,
    tls: Tls = None,
    trusted_proxy: TrustedProxy = None,
    email_header: EmailHeader = None,
    proxy_secret_file: ProxySecret = None,
    as_email: As = None,
    public: Public = False,
    audit_log: AuditLog = None,
    rescan: Rescan = DEFAULT_RESCAN,
    metrics_listen: MetricsListen = None,
    drop: DropOption = True,
    max_file_bytes: MaxFileBytes = DEFAULT_MOST_BYTES,
    cors_origin: CorsOrigin = None,
    check: Annotated[bool, typer.Option("--check", help="Say whether the server could start, and do not.")] = False,
    print_config: Annotated[bool, typer.Option("--print-config", help="Print the settings and do not start.")] = False,
) -> int:
    """Serve an archive over HTTP: to each person what the rules of its folders allow, and nothing else.

    Nothing in it is changed, but that people may hand in new files, where the rules let them.

    Example: zddc serve examples/small-archive --as kim@acme.example
    """
    given = Given(
        root=root,
        listen=listen,
        tls=tls,
        trusted_proxy=trusted_proxy or (),
        email_header=email_header,
        proxy_secret_file=proxy_secret_file,
        as_email=as_email,
        public=public,
        audit_log=audit_log,
        rescan=rescan,
        metrics_listen=metrics_listen,
        drop=drop,
        max_file_bytes=max_file_bytes,
        cors_origin=cors_origin or (),
    )
    settings = make_settings(given, os.environ)
    if print_config:
        _print_settings(settings)
        return 0
    return _check(settings) if check else _run(settings)


def _run(settings: Settings) -> int:
    try:
        import granian  # noqa: F401

        from zddc.server.run import run
    except ModuleNotFoundError as error:
        raise UserError("zddc serve", f"the package {error.name} is missing", "pip install 'zddc[serve]'") from None
    console.log_to_stderr("zddc.server")
    run(settings, console.err.print)
    return 0


def _check(settings: Settings) -> int:
    from zddc.server.run import check_files, open_policy

    check_files(settings)
    with open_policy(settings) as policy:
        kinds = [one.kind for one in findings.check(policy)]
    faults = kinds.count("fault")
    console.out.print(f"the server can start; faults in rule files: {faults}; see 'zddc access check'")
    left_out = sum(len(listing.left_out) for listing in walk(settings.root))
    if left_out:
        console.out.print(f"what nobody gets, such as links: {left_out}; see 'zddc list --findings'")
    return 1 if faults else 0


def _print_settings(settings: Settings) -> None:
    identity = settings.identity
    proxies = [*map(str, identity.networks), *([UNIX] if identity.trusts_unix else [])]
    shown = {
        "root": settings.root,
        "listen": settings.listen,
        "tls": settings.tls if isinstance(settings.tls, str) else ",".join(map(str, settings.tls)),
        "as": identity.local,
        "trusted-proxy": ", ".join(proxies) or None,
        "email-header": identity.header if proxies else None,
        "proxy-secret": "set" if identity.secret else None,
        "public": "yes" if settings.is_public else "no",
        "audit-log": settings.audit_log,
        "rescan": settings.rescan_seconds,
        "metrics-listen": settings.metrics_listen,
        "drop": f"files of {settings.most_bytes} bytes at most" if settings.most_bytes else "no",
        "cors-origin": ", ".join(sorted(settings.origins)) or None,
    }
    for name, value in shown.items():
        console.out.print(f"{name}: {'none' if value is None else value}")
