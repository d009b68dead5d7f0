"""Drawn trees of rule files: for each folder the values of its file, or the text of a broken one."""

import json
from pathlib import Path

from hypothesis import strategies as st

PEOPLE = [None, "kim@acme.example", "Lee@Acme.Example", "k@a.b", "x@pipe.example", "x@north.pipe.example"]
PATTERNS = [
    *(
        "*",
        "anonymous",
        "*@*",
        "*@acme.example",
        "kim@acme.example",
        "k*@*",
        "?@*",
        "?i?@*.example",
        "*@*.pipe.example",
    ),
    *(
        "X@PIPE.example",
        "lee@acme.example",
        "*@acme.exampl?",
        "kim*@acme.example",
        "*k@*",
        "*m@acme.*",
        "reviewers",
        "it",
    ),
]
who = st.sampled_from(PATTERNS)
members = st.lists(who.filter(lambda pattern: "@" in pattern), max_size=3)
roles = st.dictionaries(st.sampled_from(["reviewers", "Reviewers", "IT"]), members, max_size=1)
inherit = {"inherit": st.booleans()}
one_way = st.fixed_dictionaries(
    {}, optional={"deny": st.lists(who, max_size=2), "allow": st.lists(who, max_size=2), **inherit}
)
permissions = st.dictionaries(who, st.text("rwcda", max_size=3), max_size=3)
other_way = st.fixed_dictionaries({"permissions": permissions}, optional=inherit)
sound = st.fixed_dictionaries({}, optional={"acl": one_way | other_way, "roles": roles, "title": st.just("P")})
with_admins = st.fixed_dictionaries({"admins": st.lists(who, min_size=1, max_size=1)}, optional={"acl": one_way})
broken = st.sampled_from(["acl: [", "alow: []", "acl: {allow: [*@acme.example]}", "acl: {allow: [], permissions: {}}"])
file = st.one_of(*[sound] * 8, with_admins, broken)
FOLDERS = [(), ("P",), ("P", "Incoming"), ("P", "Incoming", "T"), ("Q",), ("incoming",)]
trees = st.dictionaries(st.sampled_from(FOLDERS), file, max_size=len(FOLDERS))


def written(file, indent):
    """Return the values of a rule file as its text: JSON is YAML."""
    return file if isinstance(file, str) else json.dumps(file, indent=indent)


def open_descriptors():
    """Return how many descriptors this process holds."""
    return len(list(Path("/proc/self/fd").iterdir()))
