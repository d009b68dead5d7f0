"""Small archives with rules, drawn at random."""

from tests.zddc.access.trees import written
from tests.zddc.archive.links_reference import draw_paths

PEOPLE = (None, "kim@acme.example", "lee@acme.example", "x@pipe.example")
RULES = (
    {"acl": {"allow": ["*@acme.example"]}},
    {"acl": {"allow": ["*", "anonymous"]}},
    {"acl": {"deny": ["kim@acme.example"], "allow": ["x@pipe.example"]}},
    {"acl": {"deny": ["*@acme.example"]}},
    {"acl": {"permissions": {"lee@acme.example": "", "*": "r"}}},
    {"acl": {"permissions": {"*@pipe.example": "rc"}, "inherit": False}},
    {"acl": {"allow": ["readers"]}, "roles": {"readers": ["kim@acme.example"]}},
    {"title": "no say"},
    "acl: [",
)


def make_archive(root, chance):
    """Write a small archive with rules; return the paths of its files and the rules, as the judge takes them."""
    paths = draw_paths(chance)
    rules = {(): chance.choice(RULES[:2])}
    for path in paths:
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(path)
        names = tuple(path.split("/")[:-1])
        if chance.random() < 1 / 3:
            rules[names[: chance.randint(1, len(names))]] = chance.choice(RULES)
    for names, rule in rules.items():
        root.joinpath(*names, ".zddc").write_text(written(rule, None))
    return paths, rules
