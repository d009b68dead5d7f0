"""Patterns of secrets that only their context reveals: assignments, headers, URLs; and of e-mail addresses."""

import base64
import binascii
import re
from collections.abc import Callable, Iterator

from weakspot.redaction.entropy import is_passphrase, is_password, is_random, is_stand_in
from weakspot.redaction.rules import Match, Rule, SecretKind

_DIGIT = re.compile(r"[0-9]")
_Accepts = Callable[[Match], bool]


def _random(match: Match) -> bool:
    return is_random(match["secret"])


def _literal_key(match: Match) -> bool:
    return is_random(match["secret"]) and (match["quote"] is not None or bool(_DIGIT.search(match["secret"])))


def _literal_password(match: Match) -> bool:
    return is_password(match["secret"], quoted=match["quote"] is not None)


def _password(match: Match) -> bool:
    return is_password(match["secret"], quoted=True)


def _shell_password(match: Match) -> bool:
    return _password(match) or is_passphrase(match["secret"])


def _rule(kind: SecretKind, words: str, pattern: str, accepts: _Accepts) -> Rule:
    return Rule(kind, tuple(words.split()), re.compile(pattern, re.IGNORECASE), accepts, in_context=True)


# --- what is called a password, a token or a key

_NAMED: tuple[tuple[SecretKind, str, str, _Accepts], ...] = (
    (
        "password",
        "pass pwd pw contraseña senha пароль 密码 密碼 비밀번호 パスワード wachtwoord",
        r"(?:pass(?:word|wd|phrase|wort|code)|pwd|contraseña|senha|mot de passe|пароль|密码|密碼|비밀번호|パスワード"
        r"|wachtwoord|(?<![A-Za-z])(?:pass|pw))(?:_?\d{1,2})?",
        _literal_password,
    ),
    (
        "api-key",
        "secret token credential sess api access account auth private signing encryption shared master",
        # These are no secrets: the name of a secret in AWS, the token of a next page, the id of a session.
        r"(?:(?<!\d:)secret|(?<!next|page)(?<!next_|page_)token|credentials?|(?-i:sess(?:ion)?id|SESS(?:ION)?ID)"
        r"|(?:api|access|account|auth|private|secret|signing|encryption|sharedaccess|master)[_ -]?key(?:[_-]?id)?)"
        r"(?:_?\d{1,2})?",
        _literal_key,
    ),
)
_TELLING = tuple((kind, re.compile(f"{names}$", re.IGNORECASE)) for kind, _, names, _ in _NAMED)

# A quote may be escaped, more than once where JSON stands in JSON.
_QUOTE = r"\\{0,8}[\"'`]"
# What is not quoted must not be a call or an index.
_VALUE = (
    rf"(?P<quote>{_QUOTE})?(?P<secret>"
    r"(?(quote)[^\s\"'`\\<>]{6,400}|(?>[^\s\"'`\\<>,;&(){}\[\]]{6,400}(?<![.:?]))))(?(quote)(?P=quote)|(?![(\[]))"
)
_IS = (
    rf"(?:{_QUOTE})?\]?"  # "password": ..., os.environ["PASSWORD"] = ...
    r"(?::[ ]?[A-Za-z]{1,20}(?=[ ]?=))?"  # password: str = ...
    r"(?:[ \t]{0,8}(?::=|=>|[:=：])[ \t]{0,8}|[ \t]{1,4}(?:is|ist|lautet)[ \t]{1,4}|(?<=word)[ ](?=['\"]))"
)


def kind_under(key: str, value: str) -> SecretKind | None:
    """Return the kind of secret that the key of a value says it is, or None."""
    kind = next((kind for kind, names in _TELLING if names.search(key)), None)
    if kind == "password":
        return kind if is_password(value, quoted=True) else None
    return kind if kind and is_random(value) else None


# The next lines of an entry, as in a Kubernetes deployment: "name": "PASSWORD", "value": ...
_ENTRY = rf"(?:{_QUOTE})?,?\s{{1,80}}(?:{_QUOTE})?value(?:{_QUOTE})?:[ ]{{0,4}}"
_ELEMENT = r">(?=[^<>\s]{6,400}</)"
_ASSIGNMENTS = tuple(
    _rule(kind, words, rf"{names}(?:{_IS}|{_ENTRY}|{_ELEMENT}){_VALUE}", accepts)
    for kind, words, names, accepts in _NAMED
)

# NAME=value as in an .env file, and the other ways to set a variable.
_SET = r"(?i:setx?|set -\w{1,3}|(?:set)?env) \w{0,40}?"
_SET_VALUE = r"(?P<quote>[\"'])?(?P<secret>(?(quote)[^\"'\\\r\n]{6,400}|[^\s\"'`\\;]{6,400}))(?(quote)(?P=quote))"


def _settings(kind: SecretKind, words: str, names: str, accepts: _Accepts) -> Iterator[Rule]:
    names = rf"(?:{names})(?:_?\d{{1,2}})?"
    yield Rule(kind, tuple(words.split()), re.compile(f"{names}={_SET_VALUE}"), accepts, in_context=True)
    yield Rule(kind, ("set", "env"), re.compile(f"{_SET}{names} {_SET_VALUE}"), accepts, in_context=True)


_SETTINGS = (
    *_settings("password", "pass pwd pw", "PASSWORD|PASSWD|PASSPHRASE|(?<=_)(?:PASS|PWD|PW)", _shell_password),
    *_settings(
        "api-key", "_key secret token credential _auth", "_KEY(?:_BASE)?|SECRET|TOKEN|CREDENTIALS?|_AUTH", _random
    ),
)

# --- headers, addresses and command lines

_CREDENTIALS = r"(?P<secret>[A-Za-z0-9+/_-]{8,400}={0,2})"
_COOKIE = re.compile(r"[\w.-]{1,60}=(?P<secret>[^\s;,\"'\\]{16,4000})")
_HEADER_IS = rf"(?:{_QUOTE})?[ \t]{{0,4}}[:=,][ \t]{{0,4}}(?:{_QUOTE})?"


def _basic(match: Match) -> bool:
    value = match["secret"].rstrip("=").replace("+", "-").replace("/", "_")
    try:
        pair = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        return False
    return ":" in pair and pair.isprintable()


def _url_password(match: Match) -> bool:
    password = match["secret"]
    return not (password == match["user"] or password.isdigit() or is_stand_in(password) or "{" in password)


_HEADERS = (
    _rule(
        "password",
        "://",
        r"://(?P<user>[^\s/:@\"'`<>\\]{0,100}):(?P<secret>[^\s/\"'`<>\\]{1,200})@(?=[\w\[.-])",
        _url_password,
    ),
    _rule("token", "basic", rf"\bbasic[ \t]{{1,4}}{_CREDENTIALS}", _basic),
    _rule("token", "auth", rf"\bauth{_HEADER_IS}{_CREDENTIALS}", _basic),
    _rule("token", "bearer", r"\bbearer[ \t]{1,4}(?P<secret>[\w.~+/-]{16,4000}={0,2})", _random),
    _rule(
        "token",
        "authorization",
        rf"authorization{_HEADER_IS}(?:[a-z-]{{1,20}}[ ])?(?P<secret>[\w.~+/-]{{16,4000}}={{0,2}})",
        _random,
    ),
    _rule("token", "cookie", rf"cookies?{_HEADER_IS}[^\r\n\"'\\]{{1,8000}}", _random)._replace(items=_COOKIE),
    _rule("api-key", "?key= &key= ?appid= &appid=", r".(?:key|appid)=(?P<secret>[\w.-]{16,200})", _random),
)
_COMMANDS = (
    _rule("password", "identified", r"\bidentified by '(?P<secret>[^\s']{6,200})'", _password),
    _rule("password", ":5432:", r":5432:[\w*-]{1,64}:[\w*-]{1,64}:(?P<secret>\S{6,200})", _password),
    _rule("password", "securestring", r"securestring [\"'](?P<secret>[^\s\"']{6,200})[\"']", _password),
    _rule("password", "login", r"\blogin\s{1,4}\S{1,100}\s{1,4}password[ \t]{1,4}(?P<secret>\S{6,200})", _password),
    _rule(
        "password",
        "-u --user",
        r"(?<= )(?:-u|--user)[ =]{0,2}[\"']?[^\s:\"'/]{1,64}:(?P<secret>[^\s\"'`:@/]{6,200})",
        _password,
    ),
    _rule(
        "password",
        "sshpass mysql mariadb",
        r"\b(?:sshpass|(?:mysql|mariadb)\w{0,10})\b[^\n|;]{0,100}? -p ?[\"']?(?P<secret>[^\s\"'-][^\s\"']{5,200})",
        _password,
    ),
)

# --- e-mail addresses

# Placeholders of addresses, domains reserved for documentation (RFC 2606), and users of machines and names of
# files that look like an address.
_NO_ADDRESS = re.compile(
    r"(?:you|your[._-]?(?:e?mail|name|address|username)?|user(?:name)?|e?mail|name|some(?:one|body)|j(?:oh|a)ne?[._]?doe"
    r"|first(?:name)?[._]?last(?:name)?|git|hg|svn|root|ubuntu|ec2-user|admin)(?:@|%40)"
    r"|.*(?:@|%40)(?:.*\.)?(?:example(?:\.[a-z]+)?|test|invalid|localhost|local|internal)$"
    r"|.*\.(?:png|jpe?g|gif|svg|webp|avif|ico|m?js|tsx?|jsx|css|json|html?|ya?ml|md|t?gz|zip|whl|jar)$",
    re.IGNORECASE,
)
_USERINFO = re.compile(r"://[^\s/@]{0,100}$")
_LETTER = "A-Za-z0-9À-ɏ"
_ADDRESS = (
    # An escape such as \n ends in a letter that is not part of the address.
    rf"(?<![{_LETTER}$.+-])(?:(?<=\\)(?:[nrtbf]|u[0-9a-f]{{4}}))?"
    rf"(?P<secret>[{_LETTER}][{_LETTER}._+-]{{0,63}}(?:@|%40)(?:[{_LETTER}-]{{1,63}}\.){{1,5}}[A-Za-z]{{2,24}})(?![A-Za-z0-9])"
)


def _address(match: Match) -> bool:
    before = match.string[max(0, match.start() - 100) : match.start()]
    return not (_NO_ADDRESS.match(match["secret"]) or _USERINFO.search(before))


CONTEXT_PATTERNS = (
    *_HEADERS,
    *_SETTINGS,
    *_ASSIGNMENTS,
    *_COMMANDS,
    Rule("e-mail", ("@", "%40"), re.compile(_ADDRESS, re.IGNORECASE), _address, anywhere=True),
)
