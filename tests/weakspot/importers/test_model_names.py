"""A model is a teacher's by its id, and names are not believed where anything else stands beside them."""

import pytest

from weakspot.config import load
from weakspot.importers.model_names import teacher_in_name, teacher_of


@pytest.mark.parametrize(
    ("name", "teacher"),
    [
        *(("anthropic/claude-opus-5-5", "opus"), ("claude-3-opus-20240229", "opus"), ("Claude Opus", "opus")),
        *(("claude-sonnet-4-5@vertex", "sonnet"), ("OPUS", "opus"), ("claude-haiku-4-5", None)),
        *(("opusculum-7b", None), ("qwen2.5", None), ("", None), (None, None)),
    ],
)
def test_a_teacher_is_known_by_its_name_in_the_models(config, name, teacher):
    assert teacher_of(config, name) == teacher


def test_the_longest_name_that_fits_is_the_teachers(tmp_path):
    file = tmp_path / "weakspot.toml"
    file.write_text(
        '[teachers.deepseek]\nkind = "openai"\nmodel = "v9"\n'
        '[teachers.deepseek-r1]\nkind = "openai"\nmodel = "r9"\nnames = ["The Thinker"]\n'
    )
    config = load(file)
    assert teacher_of(config, "deepseek-r1:671b") == "deepseek-r1"
    assert teacher_of(config, "deepseek-v3") == "deepseek"
    assert teacher_of(config, "the_thinker") == "deepseek-r1"


@pytest.mark.parametrize(
    ("name", "teacher"),
    [
        *(
            ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "sonnet"),
            ("openrouter/anthropic/claude-sonnet-4.5", "sonnet"),
        ),
        *(("anthropic_manifold_pipe.claude-opus-4-1", "opus"), ("claude-sonnet-4-5-thinking", "sonnet")),
        *(("expert/sonnet", "sonnet"), ("vertex_ai/claude-opus-4@20250514", "opus"), ("work/claude-opus-4-5", "opus")),
        *(("qwen3-8b-Claude-Sonnet-distill", None), ("TeichAI/Qwen3-4B-Claude-Sonnet-4.5-Distill-GGUF", None)),
        *(
            ("ollama/claude-sonnet", None),
            ("hf.co/x/Claude-Sonnet-4.5-GGUF:Q4_K_M", None),
            ("mistral-opus-24b", None),
            ("claude-opus-8b", None),
        ),
        *(("my-sonnet-finetune", None), ("local/claude-opus-4-5", None), ("gpt-oss-opus-mix", None)),
    ],
)
def test_what_stands_beside_the_name_tells_who_it_is(config, name, teacher):
    assert teacher_of(config, name) == teacher


def test_a_name_that_is_not_believed_is_a_name_all_the_same(config):
    assert teacher_in_name(config, "qwen3-claude-sonnet-distill") == "sonnet"
    assert teacher_in_name(config, "qwen3") is None


def test_what_the_settings_name_word_by_word_is_believed(tmp_path):
    file = tmp_path / "weakspot.toml"
    file.write_text('[teachers.big]\nkind = "openai"\nmodel = "ollama/llama-distill"\nnames = ["hf.co/x/big-gguf"]\n')
    config = load(file)
    assert teacher_of(config, "ollama/llama-distill") == teacher_of(config, "hf.co/x/big-gguf") == "big"
