"""The environment variables of the server, those of the original ZDDC among them; unknown ones are errors."""

from collections.abc import Mapping
from difflib import get_close_matches

from zddc.errors import UserError

VARIABLES = {
    "root": "ZDDC_ROOT",
    "listen": "ZDDC_LISTEN",
    "tls": "ZDDC_TLS",
    "trusted_proxy": "ZDDC_TRUSTED_PROXY",
    "email_header": "ZDDC_EMAIL_HEADER",
    "proxy_secret_file": "ZDDC_PROXY_SECRET_FILE",
    "as_email": "ZDDC_AS",
    "public": "ZDDC_PUBLIC",
    "drop": "ZDDC_DROP",
    "max_file_bytes": "ZDDC_MAX_FILE_BYTES",
    "audit_log": "ZDDC_ACCESS_LOG",
    "rescan": "ZDDC_RESCAN_SECONDS",
    "cors_origin": "ZDDC_CORS_ORIGIN",
    "metrics_listen": "ZDDC_METRICS_LISTEN",
}
"""The options of ``zddc serve``, and the environment variable that may give each instead."""
ALIASES = {"listen": "ZDDC_ADDR", "public": "ZDDC_INSECURE"}
"""Other names of some of them."""
DIRECT, CERTIFICATE, KEY = "ZDDC_INSECURE_DIRECT", "ZDDC_TLS_CERT", "ZDDC_TLS_KEY"
"""Those that are no option: plain HTTP is meant, and the two files of ``--tls``."""

_NOT_HERE = ("ZDDC_OPA_URL", "ZDDC_OPA_FAIL_OPEN", "ZDDC_OPA_CACHE_TTL", "ZDDC_NO_AUTH", "ZDDC_APPS_PUBKEY")
_CLOSE = 0.8  # of 1: so alike are a name and what was meant by it


def variables_of(option: str) -> list[str]:
    """Return the variables that may give an option, the one that counts first."""
    return [VARIABLES[option], *([ALIASES[option]] if option in ALIASES else [])]


def check_environment(environment: Mapping[str, str]) -> None:
    """Raise :class:`UserError` for a variable that looks as if it were for this server, and is not."""
    known = [*VARIABLES.values(), *ALIASES.values(), DIRECT, CERTIFICATE, KEY]
    for name in sorted(environment):
        if name in _NOT_HERE:
            raise UserError(name, "not supported here", "remove it; docs/server.md says what to use instead")
        if name.startswith("ZDDC_") and name not in known:
            near = get_close_matches(name, known, n=1, cutoff=_CLOSE)
            remedy = f"did you mean {near[0]}" if near else "remove it; the options are in 'zddc serve --help'"
            raise UserError(name, "no such environment variable", remedy)
    for option, alias in ALIASES.items():
        if alias in environment and VARIABLES[option] in environment:
            raise UserError(alias, f"the same as {VARIABLES[option]}, which is set too", "keep one of the two")


def tls_of(environment: Mapping[str, str]) -> str | None:
    """Return what the variables for TLS say, as ``--tls`` does: None where there is none."""
    certificate, key = environment.get(CERTIFICATE), environment.get(KEY)
    if certificate in (None, "", "none") and not key:
        return certificate or None
    if not certificate or not key:
        raise UserError(KEY if certificate else CERTIFICATE, "missing", "give the certificate and its key")
    return f"{certificate},{key}"
