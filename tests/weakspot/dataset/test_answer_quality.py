"""A refusal and a cut answer are told from answers that only look like one."""

import json

import pytest

from weakspot.dataset.answer_quality import is_cut_off, refuses


@pytest.mark.parametrize(
    "answer",
    [
        "I'm sorry, but I can't help with that.",
        "I’m sorry, I cannot do this.",
        "I am very sorry, but I am unable to assist.",
        "Sorry, but I won't write that.",
        "I apologize, but I cannot provide the text.",
        "Unfortunately, I can not open links.",
        "As an AI language model, I cannot browse.",
        "  I can't assist with that request.",
        "I cannot help with this.",
        "I'm not able to discuss this.",
        "I don't feel comfortable writing that.",
        "I will not provide\nany information.",
    ],
)
def test_an_answer_that_declines_refuses(answer):
    assert refuses(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "Call sorted on it.",
        "I'm sorry to hear that. Try this: restart it.",
        "I apologize for the confusion. The answer is 7.",
        "I can't believe how well this works: use sorted.",
        "As an AI, let me explain what a tensor is.",
        "Unfortunately, the function is slow. Use another.",
        "The user says: I'm sorry, but I can't help with that.",
        "I cannot overstate how useful a test is.",
    ],
)
def test_an_apology_or_a_word_alone_does_not_refuse(answer):
    assert not refuses(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "Use this:\n```python\nprint(1)\n",
        "Use this:\n```python\nprint(1)\n```\nand\n~~~\nx",
        "````\n```\ncode\n```\n",
        "There are three ways. The first of them is to call",
        "It depends. First of all,",
        "Take the list and",
        "You can sort it with the",
        "它有三种方法。第一种方法是调用",
        "The list is long. It holds many words  \n",
    ],
)
def test_an_answer_that_stops_in_code_or_in_a_sentence_is_cut_off(answer):
    assert is_cut_off(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "42",
        "Paris",
        '{"title": "One. Two. Three"}',
        '{"title": "One. Two. Three", "pages": [1, 2]}',
        "There are three ways. The first is the best.",
        "Is it so? Yes, it is!",
        "它有三种方法。第一种方法是调用。",
        "Here is the code. It prints:\n\n```python\nprint(1)\n```",
        "Countries:\n\n1. Spain. It is warm\n2. Sweden",
        "- It is fast. It is small\n- It is free. It is here",
        "| a | b |\n| 1 | 2 |",
        "Best regards,\n\nAnn Example\nAcme Inc",
        "Roses are red\nViolets are blue",
        "It was great. We all had fun #party #summer",
        "It is documented. See https://example.org/a",
        "# One. Two things",
        "    x = a. b or c",
        "He said that is how it was.)",
        "This is *it. All of it*",
        "Total. Cost estimate: $185 - $420!",
    ],
)
def test_lists_verse_signatures_code_and_whole_sentences_are_not_cut_off(answer):
    assert not is_cut_off(answer)


def test_real_expert_answers_are_hardly_ever_flagged_and_cut_ones_often_are(real_interactions):
    answers = [json.loads(line)["messages"][-1]["content"] for line in real_interactions.read_bytes().splitlines()]
    assert sum(map(is_cut_off, answers)) <= 1
    assert 5 <= sum(map(refuses, answers)) <= 12
    halves = [" ".join(answer.split(" ")[: len(answer.split(" ")) // 2]) for answer in answers]
    assert sum(map(is_cut_off, halves)) > len(answers) / 5
