"""Secrets that only their surroundings give away: assignments, headers, addresses; and e-mail addresses."""

import base64
import binascii
import re
from collections.abc import Callable, Iterator

from weakspot.capture.rules import Kind, Match, Rule
from weakspot.capture.values import is_passphrase, is_password, is_random, is_stand_in

_Accepts = Callable[[Match], bool]


def _random(match: Match) -> bool:
    return is_random(match["secret"])


def _password(match: Match) -> bool:
    # Without quotes it could be a variable.
    return is_password(match["secret"], quoted=match.groupdict().get("quote") is not None)


def _shell_password(match: Match) -> bool:
    # In a shell nothing needs quotes, and a variable would begin with $.
    return is_password(match["secret"], quoted=True) or is_passphrase(match["secret"])


def _rule(kind: Kind, words: str, pattern: str, accepts: _Accepts, *, within: str = "") -> Rule:
    area = re.compile(within, re.IGNORECASE) if within else None
    return Rule(kind, tuple(words.split()), re.compile(pattern, re.IGNORECASE), accepts, True, area)


# --- what is called a password, a token or a key

_PASSWORD_WORDS = "pass pwd pw contraseña senha пароль 密码 密碼 비밀번호 パスワード wachtwoord"  # noqa: S105
_PASSWORD_NAMES = (
    r"(?:pass(?:word|wd|phrase|wort|code)|pwd|contraseña|senha|mot de passe|пароль|密码|密碼|비밀번호|パスワード|wachtwoord"
    r"|(?<![A-Za-z])(?:pass|pw))(?:_?\d{1,2})?"
)
_KEY_WORDS = "secret token key credential sessid sessionid"
_KEY_NAMES = (
    r"(?:secret|token|credentials?|sess(?:ion)?id"
    r"|(?:api|access|account|auth|private|secret|signing|encryption|sharedaccess|master)[_ -]?key(?:[_-]?id)?)(?:_?\d{1,2})?"
)
_KINDS_OF_NAMES: tuple[tuple[Kind, str, str, _Accepts], ...] = (
    ("password", _PASSWORD_WORDS, _PASSWORD_NAMES, _password),
    ("api-key", _KEY_WORDS, _KEY_NAMES, _random),
)
_TELLING = tuple((kind, re.compile(f"{names}$", re.IGNORECASE)) for kind, _, names, _ in _KINDS_OF_NAMES)

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
    r"(?:[ \t]{0,8}(?::=|=>|[:=：])[ \t]{0,8}|[ \t]{1,4}(?:is|ist|lautet)[ \t]{1,4}|[ \t]{1,4}(?=[\"']))"
)


def kind_under(key: str, value: str) -> Kind | None:
    """Return the kind of secret that a value is because of the key it stands under, or None."""
    kind = next((kind for kind, names in _TELLING if names.search(key)), None)
    if kind == "password":
        return kind if is_password(value, quoted=True) else None
    return kind if kind and is_random(value) else None


def _assignments() -> Iterator[Rule]:
    for kind, words, names, accepts in _KINDS_OF_NAMES:
        yield _rule(kind, words, names + _IS + _VALUE, accepts)
        yield _rule(kind, words, rf"{names}>(?P<secret>[^<>\s]{{6,400}})</", accepts)  # an element of XML
        # An entry of a Kubernetes environment, and the like.
        entry = rf"name(?:{_QUOTE})?:[ ]{{0,4}}(?:{_QUOTE})?[\w.-]{{0,60}}?{names}(?:{_QUOTE})?,?\s{{1,80}}"
        yield _rule(kind, words, rf"{entry}(?:{_QUOTE})?value(?:{_QUOTE})?:[ ]{{0,4}}{_VALUE}", accepts)


# NAME=value as in an .env file, and the ways in which shells set a variable.
_SHELL_VALUE = r"(?P<quote>[\"'])?(?P<secret>(?(quote)[^\"'\\\r\n]{6,400}|[^\s\"'`\\;]{6,400}))(?(quote)(?P=quote))"
_SHELL_PASSWORDS = r"(?:PASSWORD|PASSWD|PASSPHRASE|_PASS|_PWD|_PW)(?:_?\d{1,2})?"
_SHELL_KEYS = r"(?:_KEY(?:_BASE)?|SECRET|TOKEN|CREDENTIALS?|_AUTH)(?:_?\d{1,2})?"


def _shell(kind: Kind, words: str, names: str, accepts: _Accepts) -> Iterator[Rule]:
    for before, after in (("", "="), (r"\b(?:setx?|set -\w{1,3}|setenv|ENV) \w{0,40}?", " ")):
        pattern = re.compile(before + names + after + _SHELL_VALUE)
        yield Rule(kind, tuple(words.split()), pattern, accepts, True)


# --- headers, addresses and command lines

_CREDENTIALS = r"(?P<secret>[A-Za-z0-9+/_-]{8,400}={0,2})"
_HEADER_IS = rf"(?:{_QUOTE})?[ \t]{{0,4}}[:=,][ \t]{{0,4}}(?:{_QUOTE})?"


def _basic(match: Match) -> bool:
    value = match["secret"].rstrip("=").translate({ord("+"): "-", ord("/"): "_"})
    try:
        return b":" in base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
    except binascii.Error:
        return False


def _url_password(match: Match) -> bool:
    password = match["secret"]
    return not (password == match["user"] or password.isdigit() or is_stand_in(password) or "{" in password)


_HEADERS = (
    _rule("password", "://", r"://(?P<user>[^\s/:@\"'`<>\\]{0,100}):(?P<secret>[^\s/\"'`<>\\]{1,200})@(?=[\w\[.-])", _url_password),
    _rule("token", "basic", rf"\bbasic[ \t]{{1,4}}{_CREDENTIALS}", _basic),
    _rule("token", "auth", rf"\bauth{_HEADER_IS}{_CREDENTIALS}", _basic),
    _rule("token", "bearer", r"\bbearer[ \t]{1,4}(?P<secret>[\w.~+/-]{16,4000}={0,2})", _random),
    _rule("token", "authorization", rf"authorization{_HEADER_IS}(?:[a-z-]{{1,20}}[ ])?(?P<secret>[\w.~+/-]{{16,4000}}={{0,2}})", _random),
    _rule(
        "token", "cookie", r"[\w.-]{1,60}=(?P<secret>[^\s;,\"'\\]{16,4000})", _random, within=rf"cookies?{_HEADER_IS}[^\r\n\"'\\]{{1,8000}}"
    ),
    _rule("api-key", "key= id=", r"[?&](?:api|app)?_?(?:key|id)=(?P<secret>[\w.-]{16,200})", _random),
)
_COMMANDS = (
    _rule("password", "identified", r"\bidentified by (?P<quote>')(?P<secret>[^\s']{6,200})'", _password),
    _rule("password", "securestring", r"securestring (?P<quote>[\"'])(?P<secret>[^\s\"']{6,200})(?P=quote)", _password),
    _rule("password", "login", r"\blogin\s{1,4}\S{1,100}\s{1,4}password[ \t]{1,4}(?P<quote>)(?P<secret>\S{6,200})", _password),
    _rule("password", "-u --user", r" (?:-u|--user)[ =]{0,2}[\"']?[^\s:\"'/]{1,64}:(?P<quote>)(?P<secret>[^\s\"'`:@/]{6,200})", _password),
    _rule(
        "password",
        "sshpass mysql mariadb",
        r"\b(?:sshpass|(?:mysql|mariadb)\w{0,10})\b[^\n|;]{0,100}? -p ?(?P<quote>[\"']?)(?P<secret>[^\s\"'-][^\s\"']{5,200})",
        _password,
    ),
)

# --- e-mail addresses

# What is reserved for documentation (RFC 2606), and users of machines and names of files that look like one.
_NO_ADDRESS = re.compile(
    r"(?:git|hg|svn|root|ubuntu|ec2-user|admin)(?:@|%40)"
    r"|.*(?:@|%40)(?:.*\.)?(?:example(?:\.[a-z]+)?|test|invalid|localhost|local|internal)$"
    r"|.*\.(?:png|jpe?g|gif|svg|webp|avif|ico|js|mjs|ts|tsx|jsx|css|json|html?|ya?ml|md|zip|gz|tgz|whl|jar)$",
    re.IGNORECASE,
)
_USERINFO = re.compile(r"://[^\s/@]{0,100}$")
_LETTER = "A-Za-z0-9À-ɏ"
_ADDRESS = (
    rf"(?:(?<![{_LETTER}$_.+-])|(?<=\\[nrtbf])|(?<=\\u[0-9a-f]{{4}}))"
    rf"(?P<secret>[{_LETTER}_][{_LETTER}._+-]{{0,63}}(?:@|%40)(?:[{_LETTER}-]{{1,63}}\.){{1,5}}[A-Za-z]{{2,24}})(?![A-Za-z0-9_-])"
)


def _address(match: Match) -> bool:
    before = match.string[max(0, match.start() - 100) : match.start()]
    return not (_NO_ADDRESS.match(match["secret"]) or _USERINFO.search(before))


CONTEXTS = (
    *_HEADERS,
    *_shell("password", _PASSWORD_WORDS, _SHELL_PASSWORDS, _shell_password),
    *_shell("api-key", "_key secret token credential _auth", _SHELL_KEYS, _random),
    *_assignments(),
    *_COMMANDS,
    _rule("e-mail", "@ %40", _ADDRESS, _address),
)
