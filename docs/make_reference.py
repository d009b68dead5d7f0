"""Write docs/reference.md from the commands and the settings themselves: run ``make docs``."""

import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

import weakspot.cli
import zddc.cli
from weakspot.config import Config
from weakspot.settings import Domain, Escalation, Language, Table, Teacher

PAGE = Path(__file__).with_name("reference.md")
_HEAD = """\
# Reference

Written by `make docs` from the commands and the settings themselves. [pipeline.md](pipeline.md) says what the stages
do, [data-format.md](data-format.md) what they write.

Every command also has `--help`. The exit status is 0 for success, 1 for a mistake, and 130 for an interruption. A
mistake is one line on standard error that says what is wrong and what to do next. The status is also 1 if
`weakspot validate` finds failures, `weakspot collect --from` finds bad lines, `zddc check` finds names that do not
conform, `zddc list --findings` finds anything, `zddc verify` finds a difference,
`zddc mdl check` or `zddc due` finds anything overdue or unexpected, or `zddc access check` finds faults.
"""
_SETTINGS = """\
## Settings

The tables of `weakspot.toml`. `weakspot init` writes the file with every default, and `--set TABLE.KEY=VALUE`
overrides a key for one run. Unknown keys and wrong types are refused.
"""


def reference() -> str:
    """Return the page."""
    parts = [_HEAD, *_commands(weakspot.cli.app, "weakspot"), *_commands(zddc.cli.app, "zddc"), _SETTINGS]
    return "\n".join([*parts, *_settings(Config())]).rstrip("\n") + "\n"


def _commands(app: typer.Typer, program: str) -> Iterator[str]:
    group: Any = typer.main.get_command(app)
    yield f"## {program}\n\n{_paragraphs(group.help)}\n"
    yield from _parameters(group.params)
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            for inner, one in command.commands.items():
                yield from _command(f"{program} {name} {inner}", one)
        else:
            yield from _command(f"{program} {name}", command)


def _command(name: str, command: Any) -> Iterator[str]:
    yield f"### {name}\n\n{_paragraphs(command.help)}\n"
    usage = [name, *(_metavar(p) for p in command.params if p.param_type_name == "argument")]
    options = " [OPTIONS]" if any(p.param_type_name == "option" for p in command.params) else ""
    yield f"```text\n{' '.join(usage)}{options}\n```\n"
    yield from _parameters(command.params)


def _paragraphs(text: str | None) -> str:
    """Return a help text, its lines joined so that the page does not depend on where they break."""
    return "\n\n".join(" ".join(part.split()) for part in inspect.cleandoc(text or "").split("\n\n"))


def _parameters(parameters: list[Any]) -> Iterator[str]:
    shown = [parameter for parameter in parameters if not parameter.hidden]
    if not shown:
        return
    yield "| | |\n|---|---|"
    for parameter in shown:
        yield f"| {_names(parameter)} | {_cell(parameter.help or '')}{_default(parameter)} |"
    yield ""


def _names(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{_metavar(parameter)}`"
    names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
    return names if parameter.is_flag else f"{names} `{_metavar(parameter)}`"


def _metavar(parameter: Any) -> str:
    metavar = parameter.metavar or ("PATH" if parameter.type_descriptor.annotation is Path else "TEXT")
    return f"{metavar}..." if parameter.nargs == -1 and not metavar.endswith("...") else str(metavar)


def _default(parameter: Any) -> str:
    if parameter.default in (None, False, "") or not parameter.show_default:
        return ""
    return f" Default: `{parameter.default}`."


def _settings(config: Config) -> Iterator[str]:
    for name, field in Config.model_fields.items():
        if name in ("domains", "teachers"):
            continue
        table = getattr(config, name)
        yield f"### [{field.alias or name}]\n\n{table.__doc__}\n"
        yield from _keys(table)
        if isinstance(table, Escalation):
            yield from _languages(table)
    yield f"### [domains.NAME]\n\n{Domain.__doc__}"
    yield "[pipeline.md](pipeline.md#collect) says how a domain is chosen. The domains below always exist, and come"
    yield "after those of the file. A domain of the file replaces one of the same name.\n"
    yield "| domain | `triggers` | `hints` | `except` |\n|---|---|---|---|"
    for domain, entry in config.domains.items():
        yield f"| `{domain}` | {' | '.join(_words(one) for one in (entry.triggers, entry.hints, entry.except_))} |"
    for name, teacher in config.teachers.items():
        yield f"\n### [teachers.{name}]\n\n{Teacher.__doc__} A table of yours needs `kind` and `model`.\n"
        yield from _keys(teacher)


def _languages(escalation: Escalation) -> Iterator[str]:
    yield f"### [escalation.languages.NAME]\n\n{Language.__doc__}"
    yield "A key of the file replaces the one of a built-in language.\n"
    yield f"| key | | {' | '.join(f'`{name}`' for name in escalation.languages)} |"
    yield "|---|---|" + "---|" * len(escalation.languages)
    for key, field in Language.model_fields.items():
        words = " | ".join(_words(getattr(language, key)) for language in escalation.languages.values())
        yield f"| `{key}` | {_cell(field.description or '')} | {words} |"
    yield ""


def _words(words: list[str]) -> str:
    return _cell(", ".join(f"`{word}`" for word in words))


def _keys(table: Table) -> Iterator[str]:
    yield "| key | default | |\n|---|---|---|"
    for key, field in type(table).model_fields.items():
        if isinstance(value := getattr(table, key), dict):
            continue
        value = json.dumps(value, ensure_ascii=False)
        yield f"| `{key}` | `{value}` | {_cell(field.description or '')} |"
    yield ""


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


if __name__ == "__main__":
    PAGE.write_text(reference(), encoding="utf-8")
