"""Tells whether what stands beside a wish is a question of its own, or is about the question before."""

import re

from weakspot.capture.wish_grammar import Grammar

SENTENCE = re.compile(r"(?<=[.!?…¶] )(?![.!?…¶)] |$)")
# "about Rust lifetimes" and "for a regex" bring something new, "about the error" and "to fix it" do not.
_NEW = re.compile(r"about (?!the |my |our |this |that |it )|(?:\S+ ){1,12}?(?:an?|all|every|eine[nmr]?|alle) ")
_ANYTHING = re.compile("")
_WORD = re.compile(r"\w\S* |§ ")
# Fewer words are no question of their own; one with a "this" needs more, unless much or code stands beside it.
_WORDS, _WORDS_WITH_THIS, _MUCH = 3, 6, 120


def has_question(grammar: Grammar, line: str, *, asked: bool) -> bool:
    """Return whether a sentence of the line asks something new; ``asked`` if the line is what the teacher is asked."""
    starts = [0, *(found.end() for found in SENTENCE.finditer(line))]
    for start, end in zip(starts, [*starts[1:], len(line)], strict=True):
        sentence = line[start:end]
        is_marked = "? " in sentence
        opening = grammar.request.match(sentence)
        if opening is None and (asked or is_marked):
            opening = grammar.question.match(sentence)
        if opening is None and asked and is_marked and sentence.count(" ") > _WORDS + 1:
            opening = _ANYTHING.match(sentence)
        if opening and _is_new(grammar, sentence[opening.end() :], after_much=start > _MUCH or (asked and "§" in line)):
            return True
    return False


def is_linked_question(grammar: Grammar, line: str) -> bool:
    """Return whether a line that goes on from "ask Opus" brings something new: "to write a parser for INI files"."""
    link = grammar.link.match(line)
    if link is None or not (_NEW.match(line) or line.count(" ") > _WORDS_WITH_THIS - 1):
        return False
    sentence = SENTENCE.split(line)[0][link.end() :]
    return _is_new(grammar, sentence, words=1 if line.startswith("about ") else _WORDS)


def _is_new(grammar: Grammar, told: str, *, words: int = _WORDS, after_much: bool = False) -> bool:
    pointers = len(grammar.this.findall(told))
    needed = _WORDS_WITH_THIS if pointers and not after_much else words
    return grammar.back.search(told) is None and len(_WORD.findall(told)) - pointers >= needed
