"""Names of files and folders that Windows, or a folder that is synced with it, cannot hold, or takes for one."""

import re
import unicodedata

# Also with any extension. OneDrive refuses COM0 and LPT0; Windows reads a superscript digit as the digit.
RESERVED = frozenset(
    {
        "CON",
        "PRN",
        "AUX",
        "NUL",
        "CONIN$",
        "CONOUT$",
        *(f"{port}{n}" for port in ("COM", "LPT") for n in "0123456789¹²³"),
    }
)
FORBIDDEN = '<>:"/\\|?*'
# In UTF-8. Whatever fits has no more than 255 UTF-16 units either, since each of them takes a byte or more.
MOST_BYTES = 255
MOST_PATH_UNITS = 259

_FORBIDDEN = re.compile(f"[{re.escape(FORBIDDEN)}]")
_CONTROL = re.compile(r"[\x00-\x1f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_NOT_SYNCED = re.compile(r"\A(?:\s|~\$|\.lock\Z|desktop\.ini\Z)|_vti_", re.IGNORECASE)


def windows_problem(name: str) -> str:
    """Return in one sentence why Windows cannot hold a file or folder of this name; empty if it can."""
    device = name.partition(".")[0].rstrip(" ").upper()
    forbidden = _FORBIDDEN.search(name)
    length = len(name.encode(errors="surrogatepass"))
    problems = {
        "the name is empty": not name,
        "the name is not valid Unicode text": _SURROGATE.search(name),
        "a control character or line break in the name": _CONTROL.search(name),
        f"Windows forbids '{forbidden and forbidden[0]}' in a name": forbidden,
        "Windows takes the dot at the end of a name away": name.endswith("."),
        "Windows takes the blank at the end of a name away": name.endswith(" "),
        f"Windows reserves '{device}' for a device, with any extension": device in RESERVED,
        f"the name has {length} bytes in UTF-8; file systems take {MOST_BYTES}": length > MOST_BYTES,
    }
    return next((problem for problem, found in problems.items() if found), "")


def windows_warning(path: str) -> str:
    """Return in one sentence why some programs may not take a path, given with ``/``; empty if nothing is known."""
    units = len(path.encode("utf-16-le", "surrogatepass")) // 2
    if units > MOST_PATH_UNITS:
        return f"the path has {units} characters from here on; many programs on Windows take {MOST_PATH_UNITS}"
    if _NOT_SYNCED.search(path.rpartition("/")[2]):
        return "OneDrive and SharePoint do not sync such a name"
    return ""


def comparable(name: str) -> str:
    """Return what is equal for all names that a file system may take for one: letter case and normalisation aside."""
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", name).casefold())
