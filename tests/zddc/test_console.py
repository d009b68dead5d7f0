"""A user's mistake is one line and exit status 1; a bug keeps its traceback."""

import errno
import json
import logging
import os
import subprocess
import sys

import pytest
import typer
from rich.text import Text

from zddc import console
from zddc.errors import UserError


def run(error: BaseException | None = None, *arguments: str, result: int | None = None) -> int:
    """Run a command line of two commands, of which ``work`` raises the error or returns the result."""
    app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)

    @app.command()
    def work(count: int = 0) -> int | None:
        if error:
            raise error
        return result

    @app.command()
    def rest() -> None: ...

    return console.run(app, "tool", arguments or ["work"])


def test_a_command_that_ends_well_has_status_0(capsys):
    assert run() == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("status", [0, 1, 3])
def test_the_number_a_command_returns_is_the_status(status):
    assert run(result=status) == status


def test_a_users_mistake_is_one_line_with_thing_problem_and_remedy(capsys):
    assert run(UserError("plan.pdf", "no such file", "check the path")) == 1
    assert capsys.readouterr() == ("", "plan.pdf: no such file; check the path\n")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["work", "--cuont", "3"], "tool: no such option: --cuont"),
        (["work", "--count", "many"], "tool: invalid value for '--count': Input should be a valid integer"),
        (["wrok"], "tool: no such command 'wrok'"),
        (["work", "extra"], "tool: got unexpected extra argument"),
    ],
)
def test_wrong_usage_is_one_line_that_points_to_the_help(capsys, arguments, line):
    assert run(None, *arguments) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(line)
    assert err.endswith("; see 'tool --help'\n")
    assert err.count("\n") == 1


def test_no_arguments_at_all_show_the_help(capsys):
    assert console.run(_one_command_app(), "tool", []) == 1
    assert "Usage: tool [OPTIONS] COMMAND [ARGS]..." in capsys.readouterr().err


def _one_command_app() -> typer.Typer:
    app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    app.callback()(lambda: None)
    app.command("work")(lambda: None)
    return app


@pytest.mark.parametrize(
    ("number", "line"),
    [
        (
            errno.ENOSPC,
            "no space left on device; free some space and run the command again, nothing was damaged",
        ),
        (errno.EACCES, "permission denied; check who may read and write there"),
        (errno.ENOENT, "no such file or directory; check the path"),
        (errno.EISDIR, "is a directory; give a file, not a folder"),
        (errno.ENAMETOOLONG, "file name too long; give a shorter path"),
        (errno.EROFS, "read-only file system; choose a place that can be written"),
    ],
)
def test_what_the_system_refuses_is_one_line(capsys, number, line):
    assert run(OSError(number, os.strerror(number), "here.jsonl")) == 1
    assert capsys.readouterr().err == f"here.jsonl: {line}\n"


def test_a_full_disk_without_a_file_name_names_the_command(capsys):
    assert run(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))) == 1
    assert capsys.readouterr().err.startswith("tool: no space left on device; ")


@pytest.mark.parametrize("error", [OSError(errno.EIO, "Input/output error"), ValueError("ours"), KeyError("ours")])
def test_our_bugs_keep_their_traceback(error):
    with pytest.raises(type(error)):
        run(error)


def test_an_interrupt_has_status_130_and_no_traceback(capsys):
    assert run(KeyboardInterrupt()) == 130
    assert capsys.readouterr() == ("", "")


def test_a_question_left_unanswered_is_an_interrupt(capsys):
    assert run(typer.Abort()) == 130
    assert capsys.readouterr().err == "interrupted\n"


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 5_000])
def test_a_reader_that_stops_early_is_no_mistake(count):
    names = "A-1_B (IFC) - Title.pdf\n" * count
    command = [sys.executable, "-m", "zddc", "parse", "--json", "-"]
    with subprocess.Popen(command, stdin=-1, stdout=-1, stderr=-1, text=True) as process:
        process.stdout.close()
        _, err = process.communicate(names)
    assert (process.returncode, err) == (0, "")


@pytest.mark.parametrize("value", ["plain", {"title": "Übersicht 平面図"}, "\udcff", [1, None, True, "\x00\u2028"]])
def test_json_is_one_line_and_loses_nothing(capsys, value):
    console.print_json(value)
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert out.encode("utf-8")
    assert json.loads(out) == value


def test_json_keeps_other_scripts_readable(capsys):
    console.print_json("平面図")
    assert capsys.readouterr().out == '"平面図"\n'


HOSTILE = "a\x1b]0;t\x07\x1b[2J\x9b \u202e \u200b [bold] [/nothing] \r \x08"
SHOWN = r"a\x1b]0;t\x07\x1b[2J\x9b <U+202E> <U+200B> [bold] [/nothing] \x0d \x08"


def test_every_way_out_shows_what_is_there(capsys):
    console.out.print(HOSTILE)
    console.err.print(HOSTILE)
    rows = console.table("column", HOSTILE)
    rows.add_row("cell", HOSTILE)
    console.out.print(rows)
    assert run(UserError(HOSTILE, "wrong", "mend it")) == 1
    assert run(None, HOSTILE) == 1
    assert run(OSError(errno.EACCES, "no", HOSTILE)) == 1
    shown = capsys.readouterr()
    assert shown.out.count(SHOWN) == 3
    assert shown.err.count(SHOWN) == 3
    assert not [one for one in shown.out + shown.err if not one.isprintable() and one != "\n"]


def test_styles_of_our_own_stay_and_those_of_a_text_do_not(capsys):
    terminal = console.VisibleConsole(force_terminal=True, color_system="standard", width=200)
    terminal.print(Text("red \x1b[32m", "red"))
    assert capsys.readouterr().out == "\x1b[31mred \\x1b[32m\x1b[0m\n"


def test_the_log_and_a_traceback_show_what_is_there(capsys):
    console.log_to_stderr("a_log")
    logging.getLogger("a_log.of_ours").error("%s", HOSTILE)
    logging.getLogger("of_others").warning("%s", HOSTILE)
    error = ValueError(HOSTILE)
    console.print_traceback(type(error), error, None)
    shown = capsys.readouterr().err
    assert SHOWN in shown
    assert not [one for one in shown if not one.isprintable() and one != "\n"]


@pytest.mark.parametrize("value", [HOSTILE, {HOSTILE: "\x7f\u2066\U000e0041"}])
def test_json_has_only_what_can_be_seen(capsys, value):
    console.print_json(value)
    out = capsys.readouterr().out
    assert out.rstrip("\n").isprintable()
    assert json.loads(out) == value
