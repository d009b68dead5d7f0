"""Loads the settings: defaults, overridden by ``weakspot.toml``, overridden by ``--set table.key=value``."""

import difflib
import json
import textwrap
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationError

from weakspot.records import parse_domain_name
from weakspot.settings import (
    Collect,
    Deploy,
    Domain,
    Escalation,
    Evaluate,
    Gateway,
    Language,
    Lora,
    Model,
    Process,
    Retrieval,
    Sharing,
    Status,
    Sweep,
    Table,
    Teacher,
    Train,
    Validate,
    Watch,
)
from weakspot.vocabulary import DEFAULT, DOMAINS, LANGUAGES
from zddc.addresses import hide_password
from zddc.errors import UserError

_ANTHROPIC_TERMS = "Anthropic's commercial terms: no training of competing models without their consent"
_TEACHERS: dict[str, dict[str, Any]] = {
    name: {
        "kind": "anthropic",
        "model": model,
        "api_key_env": "ANTHROPIC_API_KEY",
        "policy": "ask",
        "terms": _ANTHROPIC_TERMS,
        "names": [f"claude {name}"],
        "input_price": input_price,
        "output_price": output_price,
    }
    for name, model, input_price, output_price in (
        ("sonnet", "claude-sonnet-5-5", 2.0, 10.0),
        ("opus", "claude-opus-5-5", 4.0, 20.0),
    )
}


class Config(Table):
    """All settings of a workspace."""

    model: Model = Model()
    collect: Collect = Collect()
    escalation: Escalation = Escalation()
    gateway: Gateway = Gateway()
    retrieval: Retrieval = Retrieval()
    process: Process = Process()
    validate_: Validate = Field(Validate(), alias="validate")
    train: Train = Train()
    lora: Lora = Lora()
    sweep: Sweep = Sweep()
    evaluate: Evaluate = Evaluate()
    deploy: Deploy = Deploy()
    status: Status = Status()
    watch: Watch = Watch()
    workspace: Sharing = Sharing()
    domains: dict[Annotated[str, AfterValidator(parse_domain_name)], Domain] = Field(
        {name: Domain(**words) for name, words in DOMAINS.items()}
    )
    teachers: dict[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$")], Teacher] = Field(
        {name: Teacher(**values) for name, values in _TEACHERS.items()}
    )

    @property
    def triggers(self) -> dict[str, Domain]:
        """The domains with their trigger words, in order of precedence."""
        return self.domains

    def address_of(self, shown: str) -> str:
        """Return the address of the settings that is shown so, with its user and password; else ``shown`` itself."""
        known = (one.rstrip("/") for one in (self.gateway.upstream, self.deploy.server))
        return next((one for one in known if hide_password(one) == shown.rstrip("/")), shown)

    def ordered(self, domains: Iterable[str]) -> list[str]:
        """Return ``domains`` in the order of the settings, then the default domain and unknown ones."""
        default = self.collect.default_domain
        table = [*(name for name in self.domains if name != default), default]
        return sorted(domains, key=lambda name: (table.index(name) if name in table else len(table), name))


# Tables whose keys are names that the user chooses.
_NAMED: dict[str, type[Table]] = {"domains": Domain, "teachers": Teacher}


def load(file: Path, settings: Sequence[str] = ()) -> Config:
    """Return the settings of ``file`` (the defaults if it does not exist), overridden by ``table.key=value`` settings.

    Raises :class:`UserError` that names the file or the setting, the table and the key.
    """
    values: dict[str, Any] = {}
    if file.exists():
        try:
            values = tomllib.loads(file.read_text(encoding="utf-8-sig"))
        except (ValueError, RecursionError) as error:
            raise UserError(file, f"not valid TOML: {error}", "mend that line") from None
    config = _validate(values, str(file))
    for setting in settings:
        key, equals, value = setting.partition("=")
        path = key.strip().split(".")
        if not equals or len(path) < 2:
            raise UserError(f"--set {setting}", "not of the form table.key=value", "write --set train.epochs=1")
        place = values
        for part in path[:-1]:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise UserError(f"--set {setting}", f"{part} is a key, not a table", "write --set table.key=value")
        place[path[-1]] = _parse_toml_value(value.strip())
        config = _validate(values, f"--set {setting}")
    return config


def _parse_toml_value(text: str) -> object:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text


def _validate(values: dict[str, Any], source: str) -> Config:
    merged = dict(values)
    if isinstance(given := values.get("domains", {}), dict):
        # The file's domains come first, in its order; domains that it does not name keep their defaults.
        others = {_default_domain(values) if name == DEFAULT else name: words for name, words in DOMAINS.items()}
        merged["domains"] = {**given, **{name: words for name, words in others.items() if name not in given}}
    if isinstance(escalation := values.get("escalation"), dict) and isinstance(escalation.get("languages"), dict):
        changed = {name: _changed(LANGUAGES.get(name), table) for name, table in escalation["languages"].items()}
        merged["escalation"] = {**escalation, "languages": {**LANGUAGES, **changed}}
    if isinstance(given := values.get("teachers"), dict):
        # A built-in teacher keeps its values for keys that the file does not set.
        changed = {name: _changed(_TEACHERS.get(name), table) for name, table in given.items()}
        merged["teachers"] = {**_TEACHERS, **changed}
    try:
        config = Config.model_validate(merged)
    except ValidationError as error:
        raise _to_user_error(error, source) from None
    if (teacher := config.escalation.default_teacher) not in config.teachers:
        known = ", ".join(config.teachers)
        raise UserError(f"{source}: [escalation] default_teacher", f"no teacher {teacher}", f"there are {known}")
    return config


def _changed(default: Mapping[str, Any] | None, table: Any) -> Any:
    return {**(default or {}), **table} if isinstance(table, dict) else table


def _default_domain(values: Mapping[str, Any]) -> str:
    """Return the default domain of a file, under whose name the words of everyday subjects are."""
    collect = values.get("collect")
    name = collect.get("default_domain", DEFAULT) if isinstance(collect, dict) else DEFAULT
    return name if isinstance(name, str) else DEFAULT


def _to_user_error(error: ValidationError, source: str) -> UserError:
    first = error.errors(include_url=False)[0]
    # The members of a union add their names to the path; only what the user wrote is shown.
    path = [str(part) for part in first["loc"] if not str(part).startswith(("list[", "literal["))]
    table = f"[{'.'.join(path[:-1])}]" if len(path) > 1 else ""
    name = f"{source}: {table} {path[-1]}".replace(":  ", ": ")
    if first["type"] == "extra_forbidden":
        kind = "key" if len(path) > 1 else "table"
        known = _list_keys(path[:-1])
        close = difflib.get_close_matches(path[-1], known, n=1)
        remedy = f"did you mean {close[0]}" if close else f"the {kind}s there are: {', '.join(known)}"
        return UserError(name, f"unknown {kind}", remedy)
    message = first["msg"].removeprefix("Value error, ")
    # Instead of the name of a variable people may have entered the secret itself.
    secret = path[-1].endswith("_env")
    shown = "that" if secret else hide_password(json.dumps(first["input"], default=str, ensure_ascii=False))
    return UserError(name, f"{message[:1].lower()}{message[1:]}, not {shown[:80]}", "mend that value")


def _list_keys(path: Sequence[str]) -> list[str]:
    if not path:
        return [field.alias or name for name, field in Config.model_fields.items()]
    if path[:2] == ["escalation", "languages"] and len(path) > 2:
        return list(Language.model_fields)
    if path[0] in _NAMED:
        return [field.alias or name for name, field in _NAMED[path[0]].model_fields.items()]
    return list(_table(path[0]).model_fields)


def _table(name: str) -> type[Table]:
    tables = {field.alias or key: type(field.default) for key, field in Config.model_fields.items()}
    return tables[name]


_WIDTH = 120
_LANGUAGE_EXAMPLE = """\
Words of more languages; those of English (en) and German (de) are built in, and replaced key by key.
[escalation.languages.fr]
phrases = ["demande à {teacher}", "consulte {teacher}"]
expert = ["l'expert"]
before = ["s'il te plaît", "oui", "non"]
after = ["s'il te plaît", "merci"]
conditions = ["si", "quand"]"""


def format_default_toml() -> str:
    """Return the text of a ``weakspot.toml`` with every default and a comment on each key."""
    config = Config()
    lines = ["# Settings of this workspace. Every key is optional: a missing one has the default value shown here."]
    for name, field in Config.model_fields.items():
        if name not in _NAMED:
            table = getattr(config, name)
            lines += ["", f"# {(table.__doc__ or '').strip()}", f"[{field.alias or name}]", *_format_entries(table)]
    lines += ["", f"# {(Domain.__doc__ or '').strip()}"]
    lines.append("# The domain with the most of them wins; among equals, the first. Add your own.")
    for domain, words in config.domains.items():
        lines += [f"[domains.{domain}]", *_format_entries(words), ""]
    lines.append(f"# {(Teacher.__doc__ or '').strip()} Add your own: any OpenAI-compatible server can be one.")
    for name, teacher in config.teachers.items():
        lines += [f"[teachers.{name}]", *_format_entries(teacher), ""]
    return "\n".join(lines)


def _format_entries(table: Table) -> Iterator[str]:
    for key, entry in type(table).model_fields.items():
        comment = f"  # {entry.description}" if entry.description else ""
        value = getattr(table, key)
        if isinstance(value, dict):
            yield from (f"# {line}" for line in _LANGUAGE_EXAMPLE.splitlines())
            continue
        mark = "# " if key in table.derived else ""
        line = f"{mark}{entry.alias or key} = {json.dumps(value, ensure_ascii=False)}{comment}"
        yield (
            line
            if len(line) <= _WIDTH or not isinstance(value, list)
            else _format_list(entry.alias or key, value, comment)
        )


def _format_list(key: str, values: list[str], comment: str) -> str:
    items = ", ".join(f"{json.dumps(value, ensure_ascii=False)}".replace(" ", "\0") for value in values)
    filled = textwrap.fill(
        items, _WIDTH, initial_indent="    ", subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
    )
    return f"{key} = [{comment}\n{filled.replace(chr(0), ' ')},\n]"
