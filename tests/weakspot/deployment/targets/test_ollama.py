"""An Ollama is told what makes its model write and answer as the trained one does."""

import contextlib
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from tests.weakspot.deployment.llama import served

from weakspot.deployment.openai_client import ServerError
from weakspot.deployment.targets import ollama
from weakspot.deployment.targets.ollama import PromptFormat
from weakspot.deployment.types import Candidate, Destination
from weakspot.models import adapters, loading
from weakspot.models.loading import Base
from weakspot.workspace import AdapterName
from zddc.errors import UserError

pytestmark = pytest.mark.slow

NAME = AdapterName("colours", 1)
SMOLLM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
CHATML = "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
CHATML += "{{ '<|im_start|>assistant\n' }}"


class StandIn(HTTPServer):
    """Ollama's documented protocol, as much of it as is needed, over a real llama.cpp.

    One thread answers all requests: what it starts ends with the thread.
    """

    def __init__(self, folder):
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder, self.open = folder, contextlib.ExitStack()
        self.models, self.created, self.spoil = {}, [], False
        self.address = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        data, here = self.rfile.read(int(self.headers["Content-Length"])), self.server
        if self.path.startswith("/api/blobs/"):
            digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
            (here.folder / digest).write_bytes(data)
            return self.answer(201 if self.path.endswith(digest) else 400, {})
        body = json.loads(data)
        if self.path == "/api/create":
            (digest,) = body["files"].values()
            here.created.append(body)
            here.models[body["model"]] = here.open.enter_context(served(here.folder / digest))
            return self.answer(200, {"status": "success"})
        try:
            answer = here.models[body["model"]].call("POST", "/chat/completions", body)
        except (KeyError, ServerError) as error:
            return self.answer(404, {"error": {"message": f"model {error} not found"}})
        choice = answer["choices"][0]
        for one in choice["logprobs"]["content"]:
            del one["id"]  # Ollama tells the text of each token, and no number
        choice["message"]["content"] += " indeed" * here.spoil
        return self.answer(200, answer)

    def do_DELETE(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        del self.server.models[body["model"]]
        self.answer(200, {})

    def answer(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


@pytest.fixture
def running(tmp_path):
    (tmp_path / "blobs").mkdir()
    with StandIn(tmp_path / "blobs") as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        with server.open:
            yield server
        server.shutdown()


@pytest.fixture(scope="session")
def tiny_base(thin):
    """What is trained on: a small vocabulary is read and written in no time."""
    return thin("llama")


@pytest.fixture
def place(written_as_gguf):
    workspace, config = written_as_gguf

    def place(server=""):
        candidate = Candidate(NAME, adapters.read_manifest(workspace, NAME), adapters.read_scorecard(workspace, NAME))
        return ollama.place(workspace, config, candidate, Destination("ollama", server))

    return place


@pytest.fixture
def tokenizer(thin):
    return loading.load_tokenizer(Base("thin", str(thin("llama")), None))


def test_without_a_server_there_is_a_modelfile_beside_the_weights(place, written_as_gguf):
    file = written_as_gguf[0].gguf(NAME) / "Modelfile"
    placed = place()
    assert (placed.location, placed.served_name) == (str(file), "colours-lora-v1:f32")
    assert file.read_text().startswith("FROM ./colours-lora-v1-f32.gguf\n")
    assert (file.parent / "colours-lora-v1-f32.gguf").is_file()


def test_in_a_running_ollama_the_model_is_made_and_proved(place, running):
    placed = place(f"{running.address}/v1")
    assert (placed.location, placed.served_name) == (running.address, "colours-lora-v1:f32")
    assert placed.proof.same_answers == placed.proof.prompts == 8
    (body,) = running.created
    assert body["system"] == SMOLLM
    assert body["parameters"] == {"temperature": 0, "stop": ["<|im_end|>"]}
    assert running.models.keys() == {"colours-lora-v1:f32"}


def test_a_model_that_answers_otherwise_is_taken_away_again(place, running):
    running.spoil = True
    with pytest.raises(UserError, match="does not answer as the trained adapter"):
        place(running.address)
    assert running.models == {}


def test_a_server_that_is_none_is_one_line(running, tmp_path):
    file = tmp_path / "w.gguf"
    file.write_bytes(b"weights")
    with pytest.raises(UserError, match="cannot be reached"):
        ollama._create("http://127.0.0.1:9", "any", file, PromptFormat(None))
    with pytest.raises(UserError, match="refused the file: HTTP 400"):
        ollama._upload(running.address, file, "sha256:0")


def test_the_modelfile_of_a_chatml_model_has_its_template_and_system_turn(tokenizer):
    assert ollama.format_modelfile("w.gguf", ollama.choose_prompt_format(tokenizer)) == (
        "FROM ./w.gguf\n"
        "PARAMETER temperature 0\n"
        'TEMPLATE """{{- range .Messages }}<|im_start|>{{ .Role }}\n'
        "{{ .Content }}<|im_end|>\n"
        '{{ end }}<|im_start|>assistant\n"""\n'
        'PARAMETER stop "<|im_end|>"\n'
        f'SYSTEM """{SMOLLM}"""\n'
    )


def test_a_model_that_adds_no_system_turn_has_none(tokenizer):
    tokenizer.chat_template = CHATML
    assert (
        ollama.choose_prompt_format(tokenizer).system,
        "SYSTEM" in ollama.format_modelfile("w", ollama.choose_prompt_format(tokenizer)),
    ) == (
        "",
        False,
    )


@pytest.mark.parametrize(
    "template",
    [
        CHATML.replace("'<|im_start|>'", "'<|turn|>'"),
        "Today is Monday.\n" + CHATML,
        CHATML + "{{ '<think>\n\n</think>\n\n' }}",
        CHATML.replace("{% for", "{% if messages | length == 1 %}Well: {% endif %}{% for"),
    ],
)
def test_a_template_of_another_kind_is_left_to_ollama(tokenizer, template):
    tokenizer.chat_template = template
    assert ollama.choose_prompt_format(tokenizer) == PromptFormat(None)
    assert ollama.format_modelfile("w", ollama.choose_prompt_format(tokenizer)) == "FROM ./w\nPARAMETER temperature 0\n"
