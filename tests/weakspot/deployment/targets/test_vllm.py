"""A real vLLM, on the CPU: loaded, replaced under load, rolled back, and weights that do nothing, which it loads."""

import contextlib
import shutil
import threading
import time

import openai
import pytest
from tests.weakspot.deployment.conftest import DEMO_DOMAIN, FIRST, SECOND, planted
from tests.weakspot.deployment.real_vllm import BASE, names, put, said, served

from weakspot.deployment import parity_check
from weakspot.deployment.openai_client import OpenAIClient
from weakspot.deployment.releases import live, read_releases
from weakspot.deployment.targets import vllm
from weakspot.deployment.types import Destination
from weakspot.models import adapter_files, adapters
from weakspot.pipeline.deploy import deploy, rollback
from weakspot.storage import atomic
from weakspot.workspace import Workspace
from zddc.errors import UserError

# The server first: where another process makes the adapter, it starts meanwhile.
pytestmark = [pytest.mark.serving, pytest.mark.timeout(900), pytest.mark.usefixtures("url")]


@pytest.fixture(scope="session")
def url(embedded):
    with served(embedded.location) as address:
        yield address


@pytest.fixture(scope="module")
def released(demo, url, tmp_path_factory):
    """A workspace whose first adapter is in service at the server, and that release: proved once."""
    workspace = demo.copied(tmp_path_factory.mktemp("released") / "training-data")
    return workspace, put(workspace, demo.config, url)


@pytest.fixture
def workspace(released, url, tmp_path):
    """A copy of that workspace; the server has its adapter under the domain's name, and nothing else, until the end."""
    shutil.copytree(released[0].root, tmp_path / "training-data")
    workspace = Workspace(tmp_path / "training-data")
    vllm.load(OpenAIClient(url), workspace.adapter(FIRST), DEMO_DOMAIN, None)
    assert names(url) == {BASE, DEMO_DOMAIN}
    yield workspace
    vllm.unload(OpenAIClient(url), DEMO_DOMAIN)
    assert names(url) == {BASE}


@pytest.fixture
def config(demo):
    return demo.config


def test_what_is_loaded_is_proved_and_answers_by_the_domains_name_until_it_is_unloaded(demo, released, workspace, url):
    _, done = released
    assert (done.served_name, done.proof.same_answers, done.proof.prompts) == (DEMO_DOMAIN, 4, 4)
    assert done.proof.difference < 1e-3 < done.proof.change
    assert done.proof.effect.slope == pytest.approx(1, abs=1e-3)
    assert done.proof.effect.apart < 1e-3
    assert done.proof.effect.noise < 1e-3
    first = said(url, DEMO_DOMAIN, demo.questions[0])
    assert first.startswith('{"tracking_number": ')
    assert said(url, BASE, demo.questions[0]) != first
    vllm.unload(OpenAIClient(url), DEMO_DOMAIN)
    assert names(url) == {BASE}


def test_it_is_replaced_under_load_and_rolled_back(demo, workspace, config, url):
    question = demo.questions[0]
    first = said(url, DEMO_DOMAIN, question)
    demo.save_second(workspace)
    with under_load(url, demo.questions) as load:
        load.wait_for(2)
        before, started = len(load.answers), time.monotonic()
        replaced = put(workspace, config, url)
        seconds, meanwhile = time.monotonic() - started, len(load.answers) - before
        load.wait_for(max(12, len(load.answers) + 4))
    assert load.failed == []
    assert len(load.answers) >= 12
    assert replaced.adapter == str(SECOND)
    assert said(url, DEMO_DOMAIN, question) != first
    print(f"replaced under load in {seconds:.1f} s, {meanwhile} answered meanwhile, none failed")

    (back,) = rollback(workspace, config, DEMO_DOMAIN)
    assert (back.action, back.adapter) == ("rollback", str(FIRST))
    assert said(url, DEMO_DOMAIN, question) == first
    assert rollback(workspace, config, DEMO_DOMAIN) == [back]


class Load:
    """What two clients who ask without a pause were answered, and what failed."""

    def __init__(self):
        self.answers, self.failed, self.over, self._told = [], [], False, threading.Condition()

    def ask(self, url, questions):
        while not self.over:
            try:
                answer = said(url, DEMO_DOMAIN, questions[len(self.answers) % len(questions)], 16)
                assert answer
                self._add(self.answers, answer)
            except Exception as error:
                self._add(self.failed, repr(error))
                return

    def _add(self, where, what):
        with self._told:
            where.append(what)
            self._told.notify_all()

    def wait_for(self, count):
        """Wait until so many are answered in all, or one has failed."""
        with self._told:
            assert self._told.wait_for(lambda: self.failed or len(self.answers) >= count, timeout=600)


@contextlib.contextmanager
def under_load(url, questions):
    """Ask by the domain's name from two clients until the block ends."""
    load = Load()
    threads = [threading.Thread(target=load.ask, args=(url, questions[n::2])) for n in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        load.over = True
        for thread in threads:
            thread.join()


def test_from_saved_to_the_first_token(demo, workspace, config, url):
    demo.save_second(workspace)
    started = time.monotonic()
    put(workspace, config, url)
    proved = time.monotonic() - started
    body = {"model": DEMO_DOMAIN, "stream": True, "max_tokens": 4}
    with openai.OpenAI(base_url=url, api_key="none") as client:
        next(iter(client.chat.completions.create(**body, messages=[{"role": "user", "content": demo.questions[0]}])))
    print(f"from saved to the first token: {time.monotonic() - started:.2f} s, of which {proved:.2f} s are the proof")


def misnamed(tensors):
    return {name.replace("q_proj", "query"): one for name, one in tensors.items()}


def renamed(tensors):
    return {name.replace("layers.", "blocks."): one for name, one in tensors.items()}


def halved(tensors):
    """Leave out the second half of the 30 layers."""
    return {name: one for name, one in tensors.items() if int(name.split(".layers.")[1].split(".")[0]) < 15}


def zeroed(tensors):
    return {name: one * ("lora_B" not in name) for name, one in tensors.items()}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (renamed, "was not loaded|ignores the adapter|changes nothing"),
        (misnamed, "was not loaded: .*query"),
        (halved, r"is not applied as trained: its effect there is 0\.[2-8]"),
        (zeroed, "changes nothing"),
    ],
)
def test_weights_that_do_nothing_are_caught_and_the_release_before_stays(demo, workspace, config, url, change, words):
    before = live(read_releases(workspace))[DEMO_DOMAIN, "vllm"]
    assert before.adapter == str(FIRST)
    answer = said(url, DEMO_DOMAIN, demo.questions[0])
    planted(workspace, change)
    if change is not zeroed:  # what was written down is of the sound weights: the server must not pass over the names
        expected = parity_check.load_reference_answers(workspace, FIRST)
        sha256 = atomic.sha256(workspace.adapter(SECOND) / adapter_files.WEIGHTS)
        sound = expected.model_copy(update={"adapter_sha256": sha256})
        workspace.reference_answers(SECOND).write_bytes(sound.to_document())
    with pytest.raises(UserError, match=words):
        put(workspace, config, url)
    assert live(read_releases(workspace))[DEMO_DOMAIN, "vllm"] == before
    assert names(url) == {BASE, DEMO_DOMAIN}
    assert said(url, DEMO_DOMAIN, demo.questions[0]) == answer


def test_behind_the_gateway_each_version_has_its_own_name(demo, workspace, config, url):
    demo.save_second(workspace)
    done = deploy(workspace, config, DEMO_DOMAIN, Destination("gateway", url, 0.1), allow_unproven=True)
    assert (done.served_name, done.share) == (str(SECOND), 0.1)
    assert names(url) == {BASE, DEMO_DOMAIN, str(SECOND)}
    (back,) = rollback(workspace, config, DEMO_DOMAIN, "gateway")
    assert back.adapter is None
    vllm.unload(OpenAIClient(url), str(SECOND))
    assert adapters.require_base(workspace, config, adapters.read_manifest(workspace, SECOND))
