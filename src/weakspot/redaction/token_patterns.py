"""Patterns of keys and tokens that are recognised by their format alone, such as ``ghp_...``."""

import re

from weakspot.redaction.entropy import is_random, is_stand_in
from weakspot.redaction.iban import IBAN
from weakspot.redaction.rules import Match, Rule, SecretKind

# Escapes such as \n and %3D end in a letter, and a key may follow at once.
_START = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrt])|(?<=%[0-9A-F]{2})|(?<=\\u[0-9a-f]{4}))"


def _is_no_stand_in(match: Match) -> bool:
    return not is_stand_in(match["secret"])


def _form(words: str, form: str, kind: SecretKind = "api-key", *, anywhere: bool = False) -> Rule:
    pattern = form if "(?P<secret>" in form else f"{_START}(?P<secret>{form})"
    return Rule(kind, tuple(words.split()), re.compile(pattern, re.ASCII), _is_no_stand_in, anywhere=anywhere)


# Up to its end, or as far as the lines of one that was cut off go. A body has no five dashes in a row, so
# the search for an end goes no further than the next header.
_LABEL = r"[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
_PRIVATE_KEY = re.compile(
    rf"(?P<secret>-----BEGIN {_LABEL}(?P<body>"
    rf"(?:[^-]|-(?!----)){{0,20000}}-----END {_LABEL}(?:\\{{1,8}}n)?"
    r"|(?:[\s\\nr\"'+,>|]{1,40}[A-Za-z0-9+/=]{16,80}){1,400}))"
)
_KEY_MATERIAL = re.compile(r"[A-Za-z0-9+/=]{16}")


def _has_key_material(match: Match) -> bool:
    # Source code often mentions the first and last line of a key without a key.
    return bool(_KEY_MATERIAL.search(match["body"]))


TOKEN_PATTERNS = (
    Rule("private-key", ("-----begin ",), _PRIVATE_KEY, _has_key_material),
    _form("sk-ant-", r"sk-ant-[\w-]{20,200}"),
    _form("wk-", r"wk-[A-Za-z0-9]{43}")._replace(accepts=lambda _: True),  # our own clients'
    _form("sk-or-", r"sk-or-[\w-]{20,200}"),
    _form("sk-", r"(?<![_-])sk-[\w-]{20,240}")._replace(accepts=lambda match: is_random(match["secret"][3:])),
    _form("aiza", r"AIza[\w-]{35}"),
    _form("gocspx-", r"GOCSPX-[\w-]{20,40}"),
    _form("ya29.", r"ya29\.[\w.-]{20,2000}", "token"),
    _form("1//0", r"1//0[\w-]{30,200}", "token"),
    _form("akia asia abia acca", r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])"),
    _form("ghp_ gho_ ghu_ ghs_ ghr_", r"gh[pousr]_[A-Za-z0-9]{36,255}"),
    _form("github_pat_", r"github_pat_\w{50,255}"),
    _form("glpat- gldt- glrt- glptt- glft- glsoat- glcbt- glagent- gloas-", r"gl[a-z]{2,5}-[\w-]{20,300}"),
    _form("xoxa- xoxb- xoxc- xoxd- xoxe- xoxo- xoxp- xoxr- xoxs-", r"xox[a-z]-[\w-]{10,250}", "token"),
    _form("xapp-", r"xapp-\d-[\w-]{20,250}", "token"),
    _form("hooks.slack.com/", r"hooks\.slack\.com/\w{1,20}/(?P<secret>[\w/]{20,200})", "token"),
    _form("sk_live_ rk_live_ pk_live_ sk_test_ rk_test_ pk_test_", r"[srp]k_(?:live|test)_[A-Za-z0-9]{16,255}"),
    _form("whsec_", r"whsec_[A-Za-z0-9+/]{20,100}=?"),
    _form("hf_", r"hf_[A-Za-z0-9]{30,40}"),
    _form("gsk_", r"gsk_[A-Za-z0-9]{40,60}"),
    _form("npm_", r"npm_[A-Za-z0-9]{36}"),
    _form("pypi-", r"pypi-[\w-]{50,300}"),
    _form("dop_v1_ doo_v1_ dor_v1_", r"do[opr]_v1_[a-f0-9]{64}"),
    _form("dp.", r"dp\.(?:ct|pt|st|sa|scim|audit)\.(?:[\w-]{2,35}\.)?[A-Za-z0-9]{40,44}"),
    _form("nrak-", r"NRAK-[A-Z0-9]{27}"),
    _form("sk", r"SK[0-9a-f]{32}(?![A-Za-z0-9])"),
    _form("sg.", r"SG\.[\w-]{16,32}\.[\w-]{32,64}"),
    _form(":aa", r"(?<!\d)(?P<secret>\d{8,10}:AA[\w-]{32,35})", "token", anywhere=True),  # Telegram
    _form(".", r"(?P<secret>[MNO](?<![\w-].)[\w-]{23,27}\.[\w-]{6}\.[\w-]{27,38})", "token", anywhere=True),  # Discord
    _form("/api/webhooks/", r"/api/webhooks/(?P<secret>\d{16,20}/[\w-]{50,80})", "token"),
    _form("?sig= &sig= ;sig=", r".sig=(?P<secret>[\w%+/=-]{30,120})", "token"),
    _form("eyj", r"eyJ[\w-]{10,8000}(?:\.[\w-]{4,8000}){2,4}", "token"),
    IBAN,
)
