"""A month of one user's consultations, through the real gateway: with each release fewer of them are needed.

The user asks ``local`` by the OpenAI SDK, checks the answer, and says "consult the expert" where it is wrong. The
gateway recognises that, asks the teacher, which is the naming convention's own parser, and keeps the record. At the
end of a week, if enough is new, an adapter is trained on all that was kept, and what the gate accepts is served by
llama.cpp and put behind the gateway. The user's client is never told.
"""

import contextlib
import json
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from documents import file_names
from openai import OpenAI
from picture import draw_month
from rich.progress import track
from run import DOMAIN, HERE, expert, question

from servers import llama, teacher
from weakspot.config import load
from weakspot.deployment.gguf import writer
from weakspot.evaluation.scoring import is_exact_match
from weakspot.models import loading
from zddc.console import err, out
from zddc.naming import STATUSES, parse_filename

BUILD = HERE.parents[1] / "build" / "demo-loop"
WORKSPACE = BUILD / "training-data"
SETTINGS = WORKSPACE / "weakspot.toml"
# Questions in each week; the first one's are what the first adapter learns from.
WEEKS = (80, 100, 100, 100)
# Of the questions, those about what a status means: each of the codes must have been told before it can be known.
STATUS_SHARE = 0.5


def main() -> None:
    """Live through the month and write what came of it to ``build/demo-loop/result.json``."""
    started = time.monotonic()
    shutil.rmtree(BUILD, ignore_errors=True)
    WORKSPACE.mkdir(parents=True)
    shutil.copy(HERE / "month.toml", SETTINGS)
    base = loading.resolve_base(load(SETTINGS).model)
    writer.write_model(Path(base.location), BUILD / "base.gguf", "q8_0")
    month = questions(sum(WEEKS), seed=11)
    asking, counts, adapter = iter(month), {}, None
    with contextlib.ExitStack() as servers:
        upstream = servers.enter_context(llama(BUILD / "base.gguf", "smollm2-135m"))
        expert = servers.enter_context(teacher(lambda said: next(month[text] for text in said if text in month)))
        client = servers.enter_context(OpenAI(base_url=servers.enter_context(gateway(upstream, expert)), api_key="-"))
        for number, count in enumerate(WEEKS, 1):
            asked = {text: month[text] for text in islice(asking, count)}
            counts[adapter] = counts.get(adapter, Counter()) + week(client, asked, number)
            if number < len(WEEKS):
                adapter = servers.enter_context(released()) or adapter
    weakspot("releases")
    weakspot("economics")
    weakspot("status")

    told = json.loads(weakspot("economics", "--json", shown=False))
    effects = [one for one in told["releases"] if one["release"]["target"] == "gateway"]
    alone = counts[None]
    result = {
        "before": figures(None, alone, alone["consulted"] / alone["questions"]),
        "releases": [
            figures(name, counts[name], effect["after"]["rate"]["rate"])
            for name, effect in ((one["release"]["adapter"], one) for one in effects)
        ],
        "seconds": round(time.monotonic() - started, 1),
    }
    (BUILD / "result.json").write_text(json.dumps(result, indent=2) + "\n")
    draw_month([result["before"], *result["releases"]], BUILD / "result.png")
    out.print(f"figures and picture: {BUILD.relative_to(HERE.parents[1])}/result.json, result.png", markup=False)


def questions(count: int, seed: int) -> dict[str, str]:
    """Return different questions with the right answers: the parts of a file name, or what its status means."""
    choose, found = random.Random(seed), {}
    for name in file_names(count, seed):
        if choose.random() < STATUS_SHARE:
            status = parse_filename(name).status
            found[f"What does the ZDDC status code of this file mean? Answer in JSON only: {name}"] = json.dumps(
                {"status": status, "meaning": STATUSES[status]}
            )
        else:
            found[question(name)] = expert(name)
    return found


def figures(adapter: str | None, counted: Counter[str], escalation_rate: float) -> dict[str, Any]:
    """Return what is told of a release: its rate is the gateway's own figure, the rest is the user's count."""
    right = counted["right"] / counted["questions"]
    known = {"domain": DOMAIN, "adapter": adapter, "questions": counted["questions"]}
    return {**known, "escalation_rate": escalation_rate, "answered_right": right}


def week(client: OpenAI, asked: Mapping[str, str], number: int) -> Counter[str]:
    """Ask each question and consult where the answer is wrong; return how many were right, and how many consulted."""
    right = consulted = 0
    for text, wanted in track(asked.items(), f"week {number}", console=err, disable=not err.is_terminal):
        talk = [{"role": "user", "content": text}]
        answer = said(client, talk)
        if is_exact_match(wanted, answer):
            right += 1
            continue
        talk += [{"role": "assistant", "content": answer}, {"role": "user", "content": "consult the expert"}]
        if said(client, talk) != wanted:
            sys.exit(f"{text}: the expert's answer did not come through the gateway")
        consulted += 1
    out.print(f"week {number}: {right} of {len(asked)} answered right, the expert consulted {consulted} times")
    return Counter(questions=len(asked), right=right, consulted=consulted)


def said(client: OpenAI, talk: list[dict[str, str]]) -> str:
    """Return what the gateway's alias answers to a conversation."""
    answer = client.chat.completions.create(model="local", messages=talk, max_tokens=96, temperature=0)  # type: ignore[arg-type]
    return answer.choices[0].message.content or ""


@contextlib.contextmanager
def released() -> Iterator[str | None]:
    """Train on all that was captured, serve what the gate accepts behind the gateway; yield its name, if any."""
    weakspot("run", DOMAIN)
    known = json.loads(weakspot("releases", "--json", shown=False))
    latest = known[-1] if known else {"target": None}
    if latest["target"] != "gguf":  # nothing new was accepted
        yield None
        return
    with llama(Path(latest["location"]), latest["adapter"]) as address:
        weakspot("deploy", DOMAIN, "--to", "gateway", "--server", address)
        yield latest["adapter"]


@contextlib.contextmanager
def gateway(upstream: str, teacher: str) -> Iterator[str]:
    """Run ``weakspot gateway`` on a free port; yield its address."""
    at = ["--upstream", upstream, "--listen", "127.0.0.1:0", "--set", f"teachers.parser.base_url={teacher}", "--json"]
    with (
        (BUILD / "gateway.log").open("w") as log,
        subprocess.Popen(command("gateway", *at), stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        try:
            yield f"{json.loads(process.stdout.readline())['listening']}/v1"  # type: ignore[union-attr]
        finally:
            process.terminate()


def command(name: str, *options: str) -> list[str]:
    """Return a public command's line for the month's workspace."""
    return [sys.executable, "-m", "weakspot", name, *options, "--workspace", str(WORKSPACE)]


def weakspot(name: str, *options: str, shown: bool = True) -> str:
    """Run a public command, showing it; or return what it prints."""
    if shown:
        out.print(f"\n$ weakspot {' '.join((name, *options))}", style="bold", markup=False)
    done = subprocess.run(command(name, *options), stdout=None if shown else subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(done.returncode)
    return done.stdout or ""


if __name__ == "__main__":
    main()
