"""A real vLLM, on the CPU: loaded, replaced under load, rolled back, and five faults that it does not tell of."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path

import httpx2
import openai
import pytest
from safetensors.torch import load_file, save_file
from tests.weakspot.deployment.conftest import DEMO_DOMAIN

from weakspot.deployment import parity_check
from weakspot.deployment.openai_client import Server
from weakspot.deployment.releases import live, read_releases
from weakspot.deployment.targets import vllm
from weakspot.deployment.types import Candidate, Destination
from weakspot.models import adapter_files, adapters, loading
from weakspot.pipeline.deploy import deploy, rollback
from weakspot.storage import atomic
from weakspot.workspace import AdapterName, Workspace
from zddc.errors import UserError

pytestmark = [pytest.mark.serving, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[3]
PYTHON = ROOT / "build" / "vllm" / "bin" / "python"
BASE = "smollm2-135m"
FIRST, SECOND = AdapterName(DEMO_DOMAIN, 1), AdapterName(DEMO_DOMAIN, 2)
ENVIRONMENT = {
    "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "HF_HUB_OFFLINE": "1",
    "OMP_NUM_THREADS": "1",
}


@contextlib.contextmanager
def serving(model, log, *options, rank=64):
    """Serve a base, as docs/serving.md starts it; yield the server's address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [PYTHON, "-m", "vllm.entrypoints.openai.api_server", "--model", model, "--served-model-name", BASE]
    command += ["--enable-lora", "--max-lora-rank", rank, "--max-loras", 2, "--host", "127.0.0.1", "--port", port]
    command += ["--enforce-eager", "--dtype", "float32", "--max-model-len", 1024, *options]
    with log.open("wb") as out, subprocess.Popen(
        list(map(str, command)), stdout=out, stderr=subprocess.STDOUT, env=os.environ | ENVIRONMENT
    ) as process:  # fmt: skip
        url = f"http://127.0.0.1:{port}"
        try:
            wait_for(url, process, log)
            yield f"{url}/v1"
        finally:
            process.terminate()


def wait_for(url, process, log):
    for _ in range(1200):
        assert process.poll() is None, log.read_text()[-3000:]
        with contextlib.suppress(httpx2.HTTPError):
            if httpx2.get(f"{url}/health").status_code == 200:
                return
        time.sleep(0.5)
    raise AssertionError(log.read_text()[-3000:])


@pytest.fixture(scope="session", autouse=True)
def environment():
    if not PYTHON.exists():
        pytest.fail("no vLLM in build/vllm: make test-serving")


@pytest.fixture(scope="module")
def url(embedded, tmp_path_factory):
    with serving(embedded.location, tmp_path_factory.mktemp("vllm") / "log") as address:
        yield address


@pytest.fixture
def config(demo):
    return demo[1]


@pytest.fixture
def workspace(demo, tmp_path):
    """A copy of the demo's workspace, with a second adapter beside the first: the first one, turned down by half."""
    folder = tmp_path / "training-data"
    shutil.copytree(demo[0].root, folder)
    ours = Workspace(folder)
    planted(ours, lambda tensors: {name: one * (0.5 if "lora_B" in name else 1) for name, one in tensors.items()})
    shutil.move(ours.adapter(SECOND), tmp_path / "second")
    return ours


@pytest.fixture
def second(workspace, tmp_path):
    """Put the second adapter where the pipeline leaves it when it is saved."""
    return lambda: shutil.move(tmp_path / "second", workspace.adapter(SECOND))


def planted(workspace, change, settings=()):
    """Save what ``change`` makes of the first adapter's tensors as the second adapter, whole, as training does."""
    folder = workspace.adapter(SECOND)
    shutil.copytree(workspace.adapter(FIRST), folder, dirs_exist_ok=True)
    weights, described = folder / adapter_files.WEIGHTS, folder / "adapter_config.json"
    save_file({name: one.contiguous() for name, one in change(load_file(weights)).items()}, weights, {"format": "pt"})
    described.write_text(json.dumps({**json.loads(described.read_text()), **dict(settings)}))
    manifest = adapters.read_manifest(workspace, FIRST)
    files = {name: atomic.sha256(folder / name) for name in manifest.files}
    changed = manifest.model_copy(update={"name": str(SECOND), "version": 2, "files": files})
    workspace.adapter_manifest(SECOND).write_bytes(changed.to_document())
    workspace.expectation(SECOND).unlink(missing_ok=True)


def put(workspace, config, url):
    return deploy(workspace, config, DEMO_DOMAIN, Destination("vllm", url), allow_unproven=True)


def names(url):
    return {one.name for one in Server(url).models()}


def said(url, model, question):
    with openai.OpenAI(base_url=url, api_key="none") as client:
        asked = [{"role": "user", "content": question}]
        answer = client.chat.completions.create(model=model, messages=asked, max_tokens=40, temperature=0)
        return answer.choices[0].message.content


def test_load_ask_replace_under_load_unload_and_roll_back(demo, workspace, config, second, url):
    question = demo[2][0]
    done = put(workspace, config, url)
    assert (done.served_name, done.proof.same_answers, done.proof.prompts) == (DEMO_DOMAIN, 4, 4)
    assert done.proof.difference < 1e-3 < done.proof.change
    assert names(url) == {BASE, DEMO_DOMAIN}
    first = said(url, DEMO_DOMAIN, question)
    assert first.startswith('{"tracking_number": ')
    assert said(url, BASE, question) != first

    second()
    with under_load(url, demo[2]) as counts:
        started = time.monotonic()
        replaced = put(workspace, config, url)
        seconds = time.monotonic() - started
        time.sleep(2)
    assert counts["answered"] > 2
    assert counts["failed"] == []
    assert replaced.adapter == str(SECOND)
    print(f"replaced under load in {seconds:.1f} s, {counts['answered']} answered meanwhile, none failed")

    (back,) = rollback(workspace, config, DEMO_DOMAIN)
    assert (back.action, back.adapter) == ("rollback", str(FIRST))
    assert said(url, DEMO_DOMAIN, question) == first
    assert rollback(workspace, config, DEMO_DOMAIN) == [back]

    vllm.unload(Server(url), DEMO_DOMAIN)
    vllm.unload(Server(url), DEMO_DOMAIN)
    assert names(url) == {BASE}


@contextlib.contextmanager
def under_load(url, questions):
    """Ask by the domain's name from two clients until the block ends."""
    counts, stop = {"answered": 0, "failed": []}, threading.Event()

    def client(share):
        while not stop.is_set():
            try:
                assert said(url, DEMO_DOMAIN, share[counts["answered"] % len(share)])
                counts["answered"] += 1
            except Exception as error:
                counts["failed"].append(repr(error))

    threads = [threading.Thread(target=client, args=(questions[n::2],)) for n in range(2)]
    for thread in threads:
        thread.start()
    yield counts
    stop.set()
    for thread in threads:
        thread.join()


def test_from_saved_to_the_first_token(demo, workspace, config, second, url):
    put(workspace, config, url)
    second()
    candidate = Candidate(SECOND, adapters.read_manifest(workspace, SECOND), None)
    parity_check.expectation(workspace, config, candidate)  # as evaluate leaves it
    started = time.monotonic()
    put(workspace, config, url)
    proved = time.monotonic() - started
    body = {"model": DEMO_DOMAIN, "stream": True, "max_tokens": 4}
    with openai.OpenAI(base_url=url, api_key="none") as client:
        next(iter(client.chat.completions.create(**body, messages=[{"role": "user", "content": demo[2][0]}])))
    print(f"from saved to the first token: {time.monotonic() - started:.2f} s, of which {proved:.2f} s are the proof")
    rollback(workspace, config, DEMO_DOMAIN)
    rollback(workspace, config, DEMO_DOMAIN)
    vllm.unload(Server(url), DEMO_DOMAIN)


def misnamed(tensors):
    return {name.replace("q_proj", "query"): one for name, one in tensors.items()}


def renamed(tensors):
    return {name.replace("layers.", "blocks."): one for name, one in tensors.items()}


def zeroed(tensors):
    return {name: one * ("lora_B" not in name) for name, one in tensors.items()}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (renamed, "was not loaded|ignores the adapter|changes nothing"),
        (misnamed, "was not loaded: .*query"),
        (zeroed, "changes nothing"),
    ],
)
def test_weights_that_do_nothing_are_caught_and_the_release_before_stays(demo, workspace, config, url, change, words):
    before = put(workspace, config, url)
    answer = said(url, DEMO_DOMAIN, demo[2][0])
    planted(workspace, change)
    if change is not zeroed:  # what was written down is of the sound weights: the server must not pass over the names
        expected = parity_check.read_expectation(workspace, FIRST)
        sha256 = atomic.sha256(workspace.adapter(SECOND) / adapter_files.WEIGHTS)
        sound = expected.model_copy(update={"adapter_sha256": sha256})
        workspace.expectation(SECOND).write_bytes(sound.to_document())
    with pytest.raises(UserError, match=words):
        put(workspace, config, url)
    assert live(read_releases(workspace))[DEMO_DOMAIN, "vllm"] == before
    assert names(url) == {BASE, DEMO_DOMAIN}
    assert said(url, DEMO_DOMAIN, demo[2][0]) == answer
    vllm.unload(Server(url), DEMO_DOMAIN)


def test_the_wrong_base_another_template_and_too_high_a_rank_are_caught(demo, workspace, config, embedded, tmp_path):
    """All three at one server, which is started once: the faults are told one after another."""
    import torch

    other, template = tmp_path / "other", tmp_path / "template.jinja"
    shutil.copytree(embedded.location, other)
    tensors = load_file(other / "model.safetensors")
    torch.manual_seed(1)
    moved = {name: one + 0.02 * torch.randn_like(one) if one.dim() == 2 else one for name, one in tensors.items()}
    save_file(moved, other / "model.safetensors", {"format": "pt"})
    with serving(other, tmp_path / "log-other") as url:
        line = rf"vllm serve {embedded.location} --enable-lora --max-lora-rank 16 "
        with pytest.raises(UserError, match=rf"(another base|ignores the adapter).*start it as: .*{line}"):
            put(workspace, config, url)
        assert names(url) == {BASE}

    template.write_text("{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant:")
    with serving(embedded.location, tmp_path / "log-template", "--chat-template", template) as url:
        with pytest.raises(UserError, match="another chat template"):
            put(workspace, config, url)
        assert names(url) == {BASE}

    with serving(embedded.location, tmp_path / "log-rank", rank=8) as url:
        with pytest.raises(UserError, match=r"was not loaded: .*start it as: .*--max-lora-rank 16 "):
            put(workspace, config, url)
        assert names(url) == {BASE}
    assert read_releases(workspace) == []


def test_behind_the_gateway_each_version_has_its_own_name(workspace, config, second, url):
    second()
    done = deploy(workspace, config, DEMO_DOMAIN, Destination("gateway", url, 0.1), allow_unproven=True)
    assert (done.served_name, done.share) == (str(SECOND), 0.1)
    assert names(url) == {BASE, str(SECOND)}
    (back,) = rollback(workspace, config, DEMO_DOMAIN)
    assert back.adapter is None
    vllm.unload(Server(url), str(SECOND))
    assert loading.identity(adapters.base_of(adapters.read_manifest(workspace, SECOND)))
