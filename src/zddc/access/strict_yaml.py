"""Reads YAML that has only texts, lists and mappings, with the line of each; everything else is refused."""

import re
from functools import lru_cache
from typing import Any, NamedTuple

import yaml
from yaml.events import MappingEndEvent, ScalarEvent, SequenceEndEvent, SequenceStartEvent, StreamEndEvent

DEEPEST = 4

# The same parser in C, fifteen times as fast, and without what a loader would make of its events.
_LOADER: Any = getattr(yaml.cyaml, "CParser") if yaml.__with_libyaml__ else yaml.SafeLoader  # noqa: B009 - its types do not name it
_RESOLVER: Any = yaml.resolver.Resolver()
_TAG = "tag:yaml.org,2002:"
_KINDS = {
    f"{_TAG}str": "a text",
    f"{_TAG}bool": "true or false",
    f"{_TAG}int": "a number",
    f"{_TAG}float": "a number",
    f"{_TAG}null": "nothing",
    f"{_TAG}timestamp": "a date",
}
# Control characters, what is no character, and where YAML ends a line, and a comment, that goes on in an editor.
_HIDDEN = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff]")


class Node(NamedTuple):
    """A value, and the line on which it starts: ``text`` of a scalar, ``items`` of a list, ``pairs`` of a mapping.

    ``kind`` is what it is, in words: "a text", "a list", "a mapping", "true or false", "a number", "nothing".
    """

    kind: str
    line: int
    text: str = ""
    items: tuple["Node", ...] = ()
    pairs: tuple[tuple["Node", "Node"], ...] = ()


_new = tuple.__new__  # makes a named tuple in half the time


class FaultError(ValueError):
    """What is wrong, and on which line; 0 is the whole file."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line, self.reason = line, reason


def parse_yaml(data: bytes) -> Node | None:
    """Return what a UTF-8 text says, None where it says nothing; raise :class:`FaultError` with what is refused."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FaultError(data[: error.start].count(b"\n") + 1, "not UTF-8") from None
    if found := _HIDDEN.search(text):
        line = text[: found.start()].count("\n") + 1
        raise FaultError(line, f"holds the character U+{ord(found[0]):04X}, which editors do not show")
    try:
        return _document(_LOADER(text))
    except yaml.MarkedYAMLError as error:
        mark: Any = error.problem_mark
        last = text.rstrip().count("\n")  # the C parser names one line more at the end
        raise FaultError(min(mark.line, last) + 1, _explain(error)) from None


def _explain(error: yaml.MarkedYAMLError) -> str:
    problem = f"{error.context}, {error.problem}"
    if "alias" in problem or "cannot start any token" in problem:
        return "no YAML: write what starts with '*' or '@' in quotes"
    return f"no YAML: {error.problem}"


@lru_cache
def _kind_of_plain(text: str) -> str:
    """Return what a scalar without quotes is."""
    return _KINDS.get(_RESOLVER.resolve(yaml.ScalarNode, text, (True, False)), "a special value")


def _document(loader: Any) -> Node | None:
    loader.get_event()  # of the stream's start
    if isinstance(loader.get_event(), StreamEndEvent):
        return None
    node = _node(loader, loader.get_event(), 0)
    loader.get_event()  # of the document's end
    following = loader.get_event()
    if not isinstance(following, StreamEndEvent):
        raise FaultError(following.start_mark.line + 1, "a second document")
    return node


# PyYAML's types say neither that an event has a place in the text, nor which events have an anchor and a tag.
def _node(loader: Any, event: Any, depth: int) -> Node:
    line = event.start_mark.line + 1
    if event.anchor is not None:  # an alias has one too
        raise FaultError(line, "an anchor or alias ('&' or '*'): repeat the text, in quotes where it starts with '*'")
    if event.tag is not None:
        raise FaultError(line, "a tag ('!'): write plain texts, in quotes where they start with '!'")
    if depth > DEEPEST:
        raise FaultError(line, "nested too deep")
    kind = type(event)
    if kind is ScalarEvent:
        text = event.value
        return _new(Node, (_kind_of_plain(text) if event.implicit[0] else "a text", line, text, (), ()))
    get_event = loader.get_event
    if kind is SequenceStartEvent:
        items = []
        while type(event := get_event()) is not SequenceEndEvent:
            items.append(_node(loader, event, depth + 1))
        return Node("a list", line, items=tuple(items))
    pairs: dict[str, tuple[Node, Node]] = {}
    while type(event := get_event()) is not MappingEndEvent:
        key = _node(loader, event, depth + 1)
        if key.kind != "a text":
            raise FaultError(key.line, f"a key is {key.kind} instead of a text; write it in quotes")
        if key.text in pairs:
            raise FaultError(key.line, f"'{key.text}' is there twice, first on line {pairs[key.text][0].line}")
        pairs[key.text] = key, _node(loader, get_event(), depth + 1)
    return Node("a mapping", line, pairs=tuple(pairs.values()))
