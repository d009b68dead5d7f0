"""What a template is told, and what it writes: the date, the thinking mode, the end of a turn, whatever it raises."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from tests.weakspot.models import tiny_tokenizers

from weakspot.models import chat_template
from weakspot.models.chat_template import RenderOptions, TemplateRefusesError

ASKED = [{"role": "user", "content": "What is it?"}]
EVENING = datetime(2026, 11, 28, 23, 59, tzinfo=UTC)


@pytest.fixture(scope="module")
def dated():
    return tiny_tokenizers.make(tiny_tokenizers.DATED, "<|end|>")


def test_the_date_is_the_one_that_is_given(dated):
    text = chat_template.render(dated, ASKED, RenderOptions(moment=EVENING))
    assert text.startswith("<|system|>Today's Date: November 28, 2026.\n<|end|>")
    there = EVENING.astimezone(timezone(timedelta(hours=14)))
    assert "November 29, 2026" in chat_template.render(dated, ASKED, RenderOptions(moment=there))


def test_without_a_date_it_is_the_machine_s(dated):
    today = datetime.now().astimezone()
    written = chat_template.render(dated, ASKED)
    assert any(f"{day:%B %d, %Y}" in written for day in (today, today + timedelta(days=1)))


def test_the_normal_form_is_the_same_on_every_day(dated):
    texts = {
        chat_template.render_without_date(dated, ASKED, RenderOptions(moment=EVENING + timedelta(days=days)))
        for days in range(3)
    }
    assert texts == {
        "<|system|>Today's Date: %B %d, %Y.\n<|end|><|user|>What is it?<|end|><|assistant|>",
    }


def test_a_template_that_asks_for_no_time_writes_no_date(dated):
    assert chat_template.writes_date(dated)
    assert not chat_template.writes_date(tiny_tokenizers.make(tiny_tokenizers.ZEPHYR, "</s>"))


@pytest.mark.parametrize("name", ["llama3_2", "gptoss", "muse_glimmer"])
def test_published_templates_write_the_given_date(name, chat_template):
    from weakspot.models.chat_template import render

    made = tiny_tokenizers.make(chat_template(name), "<|eot_id|>")
    texts = [render(made, ASKED, RenderOptions(moment=EVENING + timedelta(days=days))) for days in (0, 0, 400)]
    assert texts[0] == texts[1] != texts[2]
    assert "2026" in texts[0]
    assert "2028" in texts[2]


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ raise_exception('no  such\nrole') }}", "no such role"),
        ("{{ messages + 1 }}", "TypeError: can only concatenate list"),
        ("{{ messages[0].nothing.more }}", "UndefinedError: 'dict object' has no attribute 'nothing'"),
        ("{{ 1 / 0 }}", "ZeroDivisionError: division by zero"),
        ("{% if %}", "TemplateSyntaxError: "),
    ],
)
def test_whatever_a_template_raises_is_one_refusal(template, message):
    with pytest.raises(TemplateRefusesError, match=f"^{message}"):
        chat_template.render(tiny_tokenizers.make(template), ASKED)


@pytest.mark.parametrize(
    ("template", "eos", "target", "trained"),
    [
        (
            tiny_tokenizers.SECTIONS,
            "<|im_end|>",
            "x<|call_end|><|calls_end|><|im_end|>\n",
            "x<|call_end|><|calls_end|><|im_end|>",
        ),
        (
            "{% for m in messages %}<|user|>{{ m.content }}<|end|>\n{% endfor %}{{ eos_token }}",
            "<|over|>",
            "x<|end|>\n<|over|>",
            "x<|end|>",
        ),
        (
            "{% for m in messages %}{{ m.content }}<|shut|><|im_end|>{% endfor %}",
            "<|im_end|>",
            "x<|shut|><|im_end|>",
            "x<|shut|><|im_end|>",
        ),
        ("{% for m in messages %}{{ m.content }}{% endfor %}", "</s>", "x\n", "x</s>"),
    ],
)
def test_a_turn_ends_behind_the_token_that_ends_it(template, eos, target, trained):
    assert chat_template.up_to_end_of_turn(tiny_tokenizers.make(template, eos), target) == trained


def test_ends_of_the_generation_settings_are_controls(tmp_path):
    from transformers import AutoTokenizer, GenerationConfig

    made = tiny_tokenizers.make(tiny_tokenizers.ZEPHYR + "{#- <|other|> #}", "</s>", pad="<pad>")
    made.save_pretrained(tmp_path)
    other = made.convert_tokens_to_ids("<|other|>")
    GenerationConfig(eos_token_id=[made.eos_token_id, other]).save_pretrained(tmp_path)
    found = chat_template.controls(AutoTokenizer.from_pretrained(tmp_path))
    assert other in found.ends
    assert {"<pad>", "<|other|>", "</s>"} <= {*found.tokens}


@pytest.mark.parametrize(
    ("name", "on", "default"),
    [("qwen3", True, True), ("qwen3_5_nothink", True, False), ("qwen2_5", False, False), ("deepseekv3", True, True)],
)
def test_whether_a_model_thinks_is_read_off_its_template(name, on, default, chat_template):
    from weakspot.models.chat_template import thinks

    made = tiny_tokenizers.make(chat_template(name))
    assert (thinks(made, "on"), thinks(made, "default"), thinks(made, "off")) == (on, default, False)


@pytest.mark.parametrize(
    ("name", "has"), [("qwen3", True), ("gptoss", True), ("deepseekv3", True), ("qwen2_5", False), ("llama3_2", False)]
)
def test_whether_a_template_has_thoughts_at_all(name, has, chat_template):
    from weakspot.models.chat_template import knows_thoughts

    assert knows_thoughts(tiny_tokenizers.make(chat_template(name))) is has
    assert knows_thoughts(tiny_tokenizers.make(tiny_tokenizers.ALWAYS_THINKS))


def test_the_mode_and_the_effort_reach_the_template():
    made = tiny_tokenizers.make("{{ enable_thinking is defined }} {{ thinking }} {{ reasoning_effort }}")
    assert chat_template.render(made, ASKED, RenderOptions(thinking="on", effort="high")) == "True True high"
    default = replace(RenderOptions(), thinking="default")
    assert chat_template.render(made, ASKED, default) == "False  "


def test_the_ids_around_the_date_are_those_of_every_day(dated):
    options = RenderOptions(moment=EVENING)
    before, after = chat_template.ids_around_date(dated, ASKED, options)
    ids = chat_template.token_ids(dated, chat_template.render(dated, ASKED, options))
    other = replace(options, moment=datetime(2031, 1, 2, tzinfo=UTC))
    served = chat_template.token_ids(dated, chat_template.render(dated, ASKED, other))
    assert served != ids
    assert served[:before] == ids[:before]
    assert served[len(served) - after :] == ids[len(ids) - after :]
    assert dated.decode(ids[before : len(ids) - after]) == "November 28, 2026"


def test_a_prompt_without_a_date_has_none_to_leave_out():
    plain = tiny_tokenizers.make(tiny_tokenizers.ZEPHYR, "</s>")
    assert chat_template.ids_around_date(plain, ASKED, RenderOptions()) is None
