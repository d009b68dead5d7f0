"""Doctor: says what is trusted and why not, and what else may keep the pipeline from working; it changes nothing."""

import importlib.util
import os
import platform
import stat
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal, NamedTuple

from weakspot import config as configuration
from weakspot import workspace as workspaces
from weakspot.access.token import token_file
from weakspot.capture.recorder import iter_interactions
from weakspot.config import Config
from weakspot.deployment.openai_client import OpenAIClient
from weakspot.pipeline.status import client_budgets, status, teacher_budgets
from weakspot.redaction.redact import scrub_text
from weakspot.storage import locks, permissions
from weakspot.teachers import api_keys, key_from
from weakspot.trust.agreements import standings
from weakspot.trust.ownership import find_stranger
from weakspot.trust.recipients import all_recipients, server_recipients
from weakspot.workspace import Workspace
from zddc.addresses import hide_password
from zddc.errors import UserError

Level = Literal["ok", "note", "problem"]

_SERVER_SECONDS = 2.0
_MOST_NAMES = 5
# What each set of extras brings, as far as it matters which version it is.
_EXTRAS = {
    "train": ("torch", "transformers", "peft"),
    "gateway": ("aiohttp", "anthropic", "httpx2"),
    "mcp": ("mcp", "uvicorn"),
}
_PYTHONS = ((3, 11), (3, 13))


@dataclass(frozen=True)
class Finding:
    """How one thing is; ``remedy`` says what to do next where it is not ``ok``."""

    section: str
    level: Level
    text: str
    remedy: str = ""


class Subject(NamedTuple):
    """What is looked at: a workspace, its settings, those of the command line, and whether a person named it."""

    workspace: Workspace
    config: Config
    settings: Sequence[str]
    named: bool


Lines = Iterator[tuple[Level, str] | tuple[Level, str, str]]


def diagnose(given: Path | None, settings: Sequence[str] = ()) -> list[Finding]:
    """Return what there is to say of the workspace that would be used, section by section; no secret is in it.

    What cannot be looked at is a problem, and all else is looked at.
    """
    found: list[Finding] = []
    secrets: list[str] = []

    def look(section: str, lines: Lines) -> None:
        try:
            for level, text, *remedy in lines:
                found.append(Finding(section, level, scrub_text(text, secrets), *remedy))
        except UserError as error:
            text = scrub_text(f"{hide_password(error.thing)}: {hide_password(error.problem)}", secrets)
            found.append(Finding(section, "problem", text, error.remedy))
        except OSError as error:
            text = f"{error.filename or section}: {(error.strerror or 'cannot be read').lower()}"
            found.append(Finding(section, "problem", text, "check who may read and write there"))
        except ValueError as error:  # a line that is no record; its text is not shown
            text = f"a file cannot be read ({type(error).__name__})"
            found.append(Finding(section, "problem", text, "see 'weakspot validate'"))

    subjects: list[Subject] = []
    look("settings", _find_settings(given, settings, subjects))
    for subject in subjects:
        secrets += api_keys(subject.config)
        for section, lines in SECTIONS.items():
            look(section, lines(subject))
    return found


def _find_settings(given: Path | None, settings: Sequence[str], subjects: list[Subject]) -> Lines:
    """Say which settings file counts and why, and add what is to be looked at to ``subjects``."""
    passed_over: list[str] = []
    try:
        workspace = workspaces.find_workspace(given, find_stranger, passed_over.append)
    finally:
        for line in passed_over:
            text, _, remedy = line.partition("; ")
            yield "note", text, remedy
    file, named = workspace.config_file, workspaces.is_named(given)
    config = configuration.load(file, settings)
    why = "found, and nobody else may change it"
    if named:
        why = f"{'--workspace' if given else 'WEAKSPOT_WORKSPACE'} names its folder"
    if not file.exists():
        yield "note", f"{file}: not there, so that all settings have their defaults", "weakspot init makes one"
    elif stranger := find_stranger(file):
        yield "note", f"{file} counts: {why}; others may change it, since {stranger}", "let only yourself write there"
    else:
        yield "ok", f"{file} counts: {why}"
    subjects.append(Subject(workspace, config, settings, named))


def _trust(one: Subject) -> Lines:
    for found in standings(one.workspace, all_recipients(one.config), named=one.named, settings=one.settings):
        if found.reason:
            yield "ok", f"{found.recipient.shown}: {found.reason}"
        else:
            remedy = "agree with 'weakspot trust', or change that setting"
            yield "problem", f"{found.recipient.shown}: nobody agreed to that", remedy


def _keys(one: Subject) -> Lines:
    gateway = one.config.gateway
    named = {"the local model's server": gateway.upstream_api_key_env, "clients of the gateway": gateway.token_env}
    named |= {f"teacher {name}": teacher.api_key_env for name, teacher in one.config.teachers.items()}
    for whose, variable in named.items():
        if variable and key_from(variable):
            yield "ok", f"{variable}, for {whose}, is in the environment"
        elif variable:
            yield "note", f"{variable}, for {whose}, is not in the environment", "export it where weakspot runs"


def _files(one: Subject) -> Lines:
    root, sharing = one.workspace.root, one.config.workspace
    if not root.exists():
        yield "note", f"{root}: not there", "weakspot init, or the first capture, makes it"
    elif not os.access(root, os.R_OK | os.W_OK | os.X_OK):
        yield "problem", f"{root}: you may not write there", "check who owns it"
    else:
        parts = [part for part in one.workspace.parts if part.name not in sharing.allow_links]
        if others := permissions.find_others(parts, group=sharing.group_readable):
            yield "note", f"{len(others)} with other permissions, as {others[0]}", "the next other command mends that"
        else:
            who = "you and your group" if sharing.group_readable else "you"
            yield "ok", f"only {who} may read what is in {root}, and no part of it is a link elsewhere"
    token = token_file()
    if token.exists() and token.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield "problem", f"{token}: others can read the token", f"chmod 600 {token}"


def _locks(one: Subject) -> Lines:
    work = one.workspace
    places = {work.lock: "process, train or deploy", work.watch_lock: "watch", work.releases_lock: "a release"}
    held = {file: locks.find_holders(file) for file in places}
    for file, holders in held.items():
        for holder in holders:
            text = f"process {holder}{_program_of(holder)} holds {file} ({places[file]})"
            yield "note", text, "wait until it has ended"
    if not any(held.values()):
        yield "ok", "no other command is at work here"


def _records(one: Subject) -> Lines:
    found = status(one.workspace, one.config)
    text = f"captured: {found.raw_lines}, not processed: {found.unprocessed}"
    yield ("note", text, "weakspot process") if found.unprocessed else ("ok", text)
    if found.waiting:
        yield "note", f"waiting for a person's permission: {found.waiting}", "weakspot allow"
    if found.unfitted:
        yield "note", f"not fit to train on: {found.unfitted}", "weakspot validate, then weakspot collect --unfitted"


def _thinking(one: Subject) -> Lines:
    mode = one.config.model.thinking
    asked = Counter(record.metadata.thinking for record in iter_interactions(one.workspace))
    others = {name: count for name in ("on", "off") if name != mode and (count := asked[name])}
    for name, count in others.items():
        text = f"of {asked.total()} captured calls, {count} ask for thinking = {name}; [model] thinking is {mode}"
        yield "note", text, "let the client and [model] thinking say the same"
    if not others:
        yield "ok", f"[model] thinking is {mode}, and no captured call asks for anything else"


def _server(one: Subject) -> Lines:
    config = one.config
    shown = hide_password(config.gateway.upstream)
    recipients = server_recipients(config, [config.gateway.upstream])
    if not all(found.reason for found in standings(one.workspace, recipients, named=one.named, settings=one.settings)):
        yield "note", f"{shown}: not asked, since nobody agreed to that", "weakspot trust"
        return
    if importlib.util.find_spec("httpx2") is None:
        yield "note", f"{shown}: not asked", "run: pip install 'zddc[gateway]'"
        return
    try:
        names = [model.name for model in OpenAIClient.of(config, answer_seconds=_SERVER_SECONDS).models()]
    except UserError as error:
        yield "note", f"{error.thing}: {error.problem}", "start it, or name it: [gateway] upstream"
        return
    served = ", ".join(names[:_MOST_NAMES]) + (", …" if len(names) > _MOST_NAMES else "")
    yield ("ok", f"{shown} serves {served}") if names else ("note", f"{shown} serves no model", "load one there")
    if (wanted := config.gateway.model) and wanted not in names:
        yield "problem", f"[gateway] model = {wanted!r}: the server has no such model", "name one that it serves"


def _versions(_: Subject) -> Lines:
    low, high = (".".join(map(str, edge)) for edge in _PYTHONS)
    text = f"weakspot {version('zddc')}, Python {platform.python_version()}"
    fits = _PYTHONS[0] <= sys.version_info[:2] <= _PYTHONS[1]
    yield ("ok", text) if fits else ("problem", text, f"take a Python from {low} to {high}")
    for extra, names in _EXTRAS.items():
        found = {name: _version_of(name) for name in names}
        text = ", ".join(f"{name} {number or 'is missing'}" for name, number in found.items())
        missing = f"for what needs it: pip install 'zddc[{extra}]'"
        yield ("ok", text) if all(found.values()) else ("note", text, missing)


def _budgets(one: Subject) -> Lines:
    for teacher in teacher_budgets(one.workspace, one.config):
        remedy = f"wait, or raise the limits of [teachers.{teacher.teacher}]"
        text = f"teacher {teacher.teacher}: {teacher.shown}"
        yield ("note", text, remedy) if teacher.is_used_up else ("ok", text)


def _clients(one: Subject) -> Lines:
    found = client_budgets(one.workspace)
    for client in found:
        text, remedy = f"client {client.client}: {client.shown}", "wait, or give it a key with higher limits"
        yield ("note", text, remedy) if client.is_used_up else ("ok", text)
    if not found:
        yield "ok", "no client has a key of its own"


SECTIONS: dict[str, Callable[[Subject], Lines]] = {
    "trust": _trust,
    "keys": _keys,
    "files": _files,
    "locks": _locks,
    "records": _records,
    "thinking": _thinking,
    "server": _server,
    "versions": _versions,
    "budgets": _budgets,
    "clients": _clients,
}
"""What is looked at behind the settings, in this order."""


def _program_of(process: int) -> str:
    try:
        return f" ({Path(f'/proc/{process}/comm').read_text(encoding='utf-8', errors='replace').strip()})"
    except OSError:
        return ""


def _version_of(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
