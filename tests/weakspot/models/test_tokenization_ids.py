"""The ids of an example are those of its whole text, end its turn once, and take time that grows with its length."""

import itertools

import pytest
from tests.weakspot.models import tiny_tokenizers

from weakspot.models import chat_template, tokenization
from weakspot.models.rendering import UntrainableExampleError

LONG_QUESTION, LONG_ANSWER = "word " * 20, "text " * 20


def counting_tokenizer():
    """Make a kind of tokenizer that counts the characters it has read and written."""
    from transformers import PreTrainedTokenizerFast

    class CountingTokenizer(PreTrainedTokenizerFast):
        characters = 0

        def __call__(self, text, **options):
            type(self).characters += len(text)
            return super().__call__(text, **options)

        def apply_chat_template(self, *arguments, **options):
            text = super().apply_chat_template(*arguments, **options)
            type(self).characters += len(text)
            return text

    return CountingTokenizer


def test_no_space_of_sentencepiece_is_learned(interaction):
    tokenizer = tiny_tokenizers.make(tiny_tokenizers.ZEPHYR, "</s>", sentencepiece=True)
    found = tokenization.tokenize_example(tokenizer, interaction("How?", "It is B."), 500)
    text = "<|user|>\nHow?</s>\n<|assistant|>\nIt is B.</s>"
    assert list(found.ids) == chat_template.token_ids(tokenizer, text)
    assert tokenizer.convert_ids_to_tokens(found.ids[found.start]) == "I"


def test_a_pair_has_no_space_of_sentencepiece_either(interaction):
    tokenizer = tiny_tokenizers.make(tiny_tokenizers.ZEPHYR, "</s>", sentencepiece=True)
    found = tokenization.tokenize_pair(tokenizer, interaction("How?", "It is B.", local="A, I think."), 500)
    assert tokenizer.convert_ids_to_tokens(found.rejected[0]) == "A"


def test_an_answer_in_which_the_template_ends_the_turn_is_left_out(interaction):
    template = "{% for m in messages %}{{ m.content }}<|im_end|>{{ '!' if loop.last and m.role != 'user' }}{% endfor %}"
    with pytest.raises(UntrainableExampleError, match="end-inside"):
        tokenization.tokenize_example(tiny_tokenizers.make(template), interaction("How?", "So."), 500)


def conversation(interaction, exchanges):
    turns = [("user", LONG_QUESTION), ("assistant", LONG_ANSWER)]
    context = [{"role": role, "content": f"{n} {text}"} for n in range(exchanges) for role, text in turns]
    return interaction("How?", "So.", context=context)


def test_the_work_grows_with_the_length_of_a_conversation(interaction):
    plain = tiny_tokenizers.make(tiny_tokenizers.ALWAYS_THINKS)
    kind = counting_tokenizer()
    tokenizer = kind(
        tokenizer_object=plain.backend_tokenizer, eos_token=plain.eos_token, chat_template=plain.chat_template
    )
    work, kept = [], []
    for exchanges in (50, 100, 200, 400, 800):
        before = kind.characters
        found = tokenization.tokenize_example(tokenizer, conversation(interaction, exchanges), 1000)
        work.append(kind.characters - before)
        kept.append(2 * exchanges + 1 - found.dropped_turns)
    assert all(later < 2.1 * earlier for earlier, later in itertools.pairwise(work))
    assert len({*kept}) == 1
    assert kept[0] > 3


@pytest.mark.parametrize("max_length", [200, 400, 700, 1000, 1500, 3000])
def test_as_many_turns_as_fit_are_kept(max_length, interaction):
    tokenizer = tiny_tokenizers.make(tiny_tokenizers.ALWAYS_THINKS)
    example = conversation(interaction, 12)
    found = tokenization.tokenize_example(tokenizer, example, max_length)
    assert len(found.ids) <= max_length
    if found.dropped_turns:
        one_more = example.prompt[found.dropped_turns - 2 :]
        turns = [{"role": turn.role, "content": turn.content} for turn in one_more]
        longer = len(chat_template.token_ids(tokenizer, chat_template.render(tokenizer, turns)))
        assert longer + found.supervised > max_length
    else:
        assert max_length == 3000
