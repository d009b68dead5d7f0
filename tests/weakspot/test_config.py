"""Settings are the defaults, under the file's, under the command line's; nothing unknown slips through."""

import tomllib

import pytest

from weakspot import config as configuration
from weakspot.config import Config, format_default_toml, load
from weakspot.settings import Lora
from zddc.errors import UserError

DEFAULT_DOMAINS = list(Config().domains)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "weakspot.toml"


def refusal(file, text: str | bytes, *settings: str) -> str:
    """Load settings that are wrong; return the one line that says so, the file's folder left out."""
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(UserError) as caught:
        load(file, settings)
    line = str(caught.value)
    assert "\n" not in line
    return line.replace(f"{file.parent}/", "")


def test_without_a_file_every_setting_has_its_default(file):
    found = load(file)
    assert found == Config()
    assert list(found.domains) == DEFAULT_DOMAINS


def test_the_file_overrides_the_defaults_and_leaves_the_others(file):
    file.write_text("[train]\nepochs = 7\n")
    found = load(file)
    assert (found.train.epochs, found.train.batch_size) == (7, Config().train.batch_size)


def test_a_setting_overrides_the_file_and_the_last_of_two_wins(file):
    file.write_text("[train]\nepochs = 7\nseed = 1\n")
    found = load(file, ["train.epochs=8", "train.epochs=9"])
    assert (found.train.epochs, found.train.seed) == (9, 1)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("model.base=smollm2-135m", "smollm2-135m"),
        ('model.base="smollm2-135m"', "smollm2-135m"),
        ("model.base = a/b=c", "a/b=c"),
    ],
)
def test_a_setting_is_toml_or_else_a_text(file, setting, value):
    assert load(file, [setting]).model.base == value


def test_settings_may_be_lists_words_numbers_and_booleans(file):
    found = load(
        file,
        [
            'lora.target_modules=["q_proj"]',
            "train.load_in_4bit=true",
            "lora.dropout=0",
            "train.precision=fp32",
        ],
    )
    assert found.lora.target_modules == ["q_proj"]
    assert (found.train.load_in_4bit, found.lora.dropout, found.train.precision) == (True, 0.0, "fp32")


def test_experts_have_a_lower_rank_unless_it_is_set(file):
    for targets in ("experts", '["q_proj", "experts"]'):
        assert (load(file, [f"lora.target_modules={targets}"]).lora.rank, Lora().rank) == (16, 64)
        assert load(file, [f"lora.target_modules={targets}"]).lora.alpha == 16
        given = load(file, [f"lora.target_modules={targets}", "lora.rank=64"]).lora
        assert (given.rank, given.alpha) == (64, 64)


@pytest.mark.parametrize("preset", ["attention", "all-linear"])
def test_target_modules_may_be_a_preset(file, preset):
    assert load(file, [f"lora.target_modules={preset}"]).lora.target_modules == preset


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[trian]\n", "weakspot.toml: trian: unknown table; did you mean train"),
        (
            "[x]\n",
            "weakspot.toml: x: unknown table; the tables there are: model, collect, escalation, gateway, ",
        ),
        ("[train]\nepoch = 1\n", "weakspot.toml: [train] epoch: unknown key; did you mean epochs"),
        ("[deploy]\nx = 1\n", "weakspot.toml: [deploy] x: unknown key; the keys there are: proof_prompts"),
        ('[domains.sql]\ntrigers = ["sql"]\n', "weakspot.toml: [domains.sql] "),
        ("[validate_]\n", "weakspot.toml: validate_: unknown table; did you mean validate"),
        ("epochs = 1\n", "weakspot.toml: epochs: unknown table; "),
        ('[train]\nepochs = "3"\n', "weakspot.toml: [train] epochs: input should be a valid integer, not "),
        (
            "[train]\nepochs = 3.5\n",
            "weakspot.toml: [train] epochs: input should be a valid integer, not 3.5",
        ),
        (
            "[train]\nepochs = true\n",
            "weakspot.toml: [train] epochs: input should be a valid integer, not true",
        ),
        (
            "[train]\nepochs = 0\n",
            "weakspot.toml: [train] epochs: input should be greater than or equal to 1, n",
        ),
        (
            '[train]\nprecision = "fp8"\n',
            "weakspot.toml: [train] precision: input should be 'auto', 'bf16' or",
        ),
        ("[model]\nbase = 7\n", "weakspot.toml: [model] base: input should be a valid string, not 7"),
        (
            "[lora]\ntarget_modules = 1\n",
            "weakspot.toml: [lora] target_modules: input should be a valid list",
        ),
        ("[lora]\ntarget_modules = [1]\n", "weakspot.toml: [lora"),
        ("train = 3\n", "weakspot.toml: train: input should be "),
        ("domains = 3\n", "weakspot.toml: domains: input should be a valid dictionary, not 3"),
        ('[domains."../x"]\ntriggers = []\n', "weakspot.toml: [domains"),
        ("[domains.all]\ntriggers = []\n", "weakspot.toml: [domains"),
        ("[domains.sql]\ntriggers = [' ']\n", "weakspot.toml: [domains.sql.triggers] 0: string should match"),
        ("[domains.sql]\n", "weakspot.toml: [domains.sql] triggers: field required"),
        ("[domains.sql]\ntriggers = ['re:(']\n", "weakspot.toml: [domains.sql.triggers] 0: not a regular expression"),
        (
            "[domains.sql]\ntriggers = []\nexcepts = []\n",
            "weakspot.toml: [domains.sql] excepts: unknown key; did you mean except",
        ),
        (
            "[escalation.languages.fr]\nphrase = []\n",
            "weakspot.toml: [escalation.languages.fr] phrase: unknown key; did you mean phrases",
        ),
        (
            "[process]\nnear_duplicate_threshold = nan\n",
            "weakspot.toml: [process] near_duplicate_threshold: ",
        ),
        (
            '[escalation]\ndefault_teacher = "opsu"\n',
            "weakspot.toml: [escalation] default_teacher: no teacher opsu; there are sonnet, opus",
        ),
    ],
)
def test_what_is_wrong_is_named_by_file_table_and_key(file, text, line):
    assert refusal(file, text).startswith(line)


@pytest.mark.parametrize(("table", "key"), [("gateway", "upstream_api_key_env"), ("teachers.sonnet", "api_key_env")])
def test_a_key_that_stands_where_its_variable_is_named_is_not_shown(file, table, key):
    line = refusal(file, f'[{table}]\n{key} = "sk-not-for-the-screen"\n')
    assert line.startswith(f"weakspot.toml: [{table}] {key}: string should match")
    assert line.endswith(", not that; mend that value")


@pytest.mark.parametrize(
    "text",
    [
        "[train\n",
        "[train]\nepochs 3\n",
        "[train]\nepochs = 1\nepochs = 2\n",
        b"[train]\nseed = \xff\n",
        b"\0",
        "[train]".encode("utf-16"),
        "x = " + "[" * 100_000,
    ],
)
def test_what_is_not_toml_is_one_line_that_names_the_file(file, text):
    assert refusal(file, text).startswith("weakspot.toml: not valid TOML: ")


def test_a_byte_order_mark_and_crlf_are_no_mistake(file):
    file.write_bytes(b"\xef\xbb\xbf[train]\r\nepochs = 7\r\n")
    assert load(file).train.epochs == 7


@pytest.mark.parametrize(
    ("setting", "line"),
    [
        ("epochs", "--set epochs: not of the form table.key=value; write --set train.epochs=1"),
        ("epochs=3", "--set epochs=3: not of the form table.key=value; write --set train.epochs=1"),
        ("train.epoch=3", "--set train.epoch=3: [train] epoch: unknown key; did you mean epochs"),
        ("trian.epochs=3", "--set trian.epochs=3: trian: unknown table; did you mean train"),
        (
            "train.epochs=three",
            "--set train.epochs=three: [train] epochs: input should be a valid integer, not ",
        ),
        ("train.epochs=", "--set train.epochs=: [train] epochs: input should be a valid integer, not "),
        ("train.epochs.x=3", "--set train.epochs.x=3: [train] epochs: "),
    ],
)
def test_a_wrong_setting_is_named_as_it_was_written(file, setting, line):
    assert refusal(file, "", setting).startswith(line)


def test_a_setting_inside_a_key_of_the_file_is_refused(file):
    line = refusal(file, "[train]\nepochs = 1\n", "train.epochs.x=3")
    assert line == "--set train.epochs.x=3: epochs is a key, not a table; write --set table.key=value"


def test_a_mistake_in_the_file_is_not_blamed_on_a_setting(file):
    assert refusal(file, "[train]\nepoch = 1\n", "train.seed=1").startswith("weakspot.toml: [train] epoch: ")


def test_the_files_domains_stand_before_the_others_in_its_own_order(file):
    file.write_text('[domains.sql]\ntriggers = ["select"]\n[domains.build-system]\ntriggers = ["make"]\n')
    found = load(file).domains
    others = [name for name in DEFAULT_DOMAINS if name != "build-system"]
    assert list(found) == ["sql", "build-system", *others]
    assert (found["sql"].triggers, found["build-system"].triggers) == (["select"], ["make"])
    assert found["build-system"].hints == found["build-system"].except_ == []


def test_a_domain_can_be_set_from_the_command_line(file):
    assert load(file, ['domains.sql.triggers=["select"]']).domains["sql"].triggers == ["select"]


def test_a_domain_without_triggers_is_switched_off(file):
    assert load(file, ["domains.build-system.triggers=[]"]).domains["build-system"].triggers == []


def test_the_words_of_everyday_subjects_go_with_the_default_domain(file):
    found = load(file, ["collect.default_domain=misc"]).domains
    assert "general-coding" not in found
    assert found["misc"] == Config().domains["general-coding"]
    assert load(file).ordered(load(file).domains)[-1] == "general-coding"


def test_a_language_can_be_added_and_changed_key_by_key(file):
    file.write_text(
        '[escalation.languages.fr]\nphrases = ["consulte {teacher}"]\n[escalation.languages.de]\nfillers = []\n'
    )
    found, known = load(file).escalation.languages, Config().escalation.languages
    assert list(found) == ["en", "de", "fr"]
    assert (found["fr"].phrases, found["fr"].expert) == (["consulte {teacher}"], [])
    assert (found["en"], found["de"].phrases, found["de"].fillers) == (known["en"], known["de"].phrases, [])


def test_the_commented_file_says_the_defaults_again(file):
    file.write_text(format_default_toml())
    assert load(file) == Config()
    assert list(load(file).domains) == DEFAULT_DOMAINS


def test_the_commented_file_has_every_table_and_key_of_every_stage():
    values = tomllib.loads(format_default_toml())
    # Of the languages it has only an example, in a comment, and there is what the adapted layers choose.
    in_comments = {"escalation": {"languages"}, "lora": {"rank", "alpha"}}
    assert values == Config().model_dump(by_alias=True, exclude=in_comments)
    assert list(values) == [field.alias or name for name, field in Config.model_fields.items()]


def test_the_commented_file_leaves_the_rank_to_the_layers(file):
    file.write_text(format_default_toml())
    assert "# rank = 64  # " in file.read_text()
    assert load(file, ["lora.target_modules=experts"]).lora.rank == 16
    assert load(file, ["lora.target_modules=attention"]).lora.rank == 64


def test_every_table_of_the_commented_file_has_a_sentence_above_it():
    lines = format_default_toml().splitlines()
    tables = [number for number, line in enumerate(lines) if line.startswith("[") and "." not in line]
    assert tables
    assert all(lines[number - 1].startswith("# ") for number in tables)


def test_settings_cannot_be_changed_after_loading(file):
    with pytest.raises(configuration.ValidationError):
        load(file).train.epochs = 5


def test_the_turn_that_stands_for_a_consultation_may_be_one_sign(tmp_path):
    assert load(tmp_path / "none.toml", ["collect.escalation=?"]).collect.escalation == "?"
    with pytest.raises(UserError, match="escalation"):
        load(tmp_path / "none.toml", ['collect.escalation=""'])
