"""A server is asked greedily, tells what it can, and fails in one line that holds no key."""

import http.server
import json
import re
import threading

import pytest
import torch
from tests.weakspot.deployment.llama import served

from weakspot.config import load
from weakspot.deployment.gguf import writer
from weakspot.deployment.openai_client import OpenAIClient, ServerError
from weakspot.models import generation, loading
from weakspot.models.loading import Base
from zddc.errors import UserError

pytestmark = pytest.mark.slow

QUESTION = [{"role": "user", "content": "Which colour?"}]


@pytest.fixture(scope="module")
def llama(thin, tmp_path_factory):
    file = tmp_path_factory.mktemp("gguf") / "thin.gguf"
    writer.write_model(thin("llama"), file, "f32")
    with served(file, name="thin") as server:
        yield server


@pytest.fixture
def saying():
    """Serve one answer to whatever is asked, or what a function makes of a request, and remember the requests."""
    servers = []

    def start(status, body):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                asked.append((self.headers, self.rfile.read(int(self.headers.get("Content-Length", 0)))))
                self.send_response(status)
                self.end_headers()
                said = body if isinstance(body, str) else json.dumps(body(json.loads(asked[-1][1])))
                self.wfile.write(said.encode())

            do_GET = do_POST  # noqa: N815

            def log_message(self, *_):
                pass

        asked: list = []
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}/v1", asked

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_real_server_answers_as_the_model_does_and_tells_how_likely(llama, thin):
    base = Base("thin", str(thin("llama")), None)
    model, tokenizer = loading.load_model(base, loading.choose_dtype("fp32")), loading.load_tokenizer(base)
    prompt = tokenizer.apply_chat_template(QUESTION, tokenize=False, add_generation_prompt=True)
    ids = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    assert [one.name for one in llama.models()] == ["thin"]
    answer = llama.chat("thin", QUESTION, 8)
    assert answer.ids == generation.generate_token_ids(model, tokenizer, [ids], 8, 1)[0]
    assert answer.prompt_tokens == len(ids)
    assert len(answer.logprobs) == 8
    assert max(answer.logprobs) < 0
    again = llama.complete("thin", ids, 8)
    assert again.ids == answer.ids
    assert again.logprobs == pytest.approx(answer.logprobs, abs=1e-3)
    other = [int(token) for token in range(300, 306)]
    (scored,) = llama.score("thin", [(ids, other, range(6))])
    with torch.inference_mode():
        likely = model(input_ids=torch.tensor([[*ids, *other]])).logits[0].log_softmax(-1)
    expected = [float(likely[len(ids) - 1 + place, token]) for place, token in enumerate(other)]
    assert scored == pytest.approx(expected, abs=1e-2)


def test_a_continuation_of_ids_is_read_from_vllm_s_form(saying):
    choice = {
        "index": 0,
        "text": "a b",
        "token_ids": [5, 6],
        "logprobs": {"tokens": ["a", " b"], "token_logprobs": [-0.5, -1]},
    }
    url, asked = saying(200, json.dumps({"choices": [choice]}))
    found = OpenAIClient(url).complete("any", [1, 2], 2)
    assert (found.text, found.ids, found.logprobs, found.prompt_ids) == ("a b", [5, 6], [-0.5, -1.0], [1, 2])
    assert json.loads(asked[0][1])["prompt"] == [1, 2]


@pytest.mark.parametrize(("status", "body"), [(404, "no"), (200, "{}"), (200, '{"choices": [{"text": "a"}]}')])
def test_a_server_that_continues_no_ids_is_told_by_nothing(saying, status, body):
    url, _ = saying(status, body)
    assert OpenAIClient(url).complete("any", [1], 2) is None


def test_the_key_is_sent_and_never_shown(saying, tmp_path, monkeypatch):
    monkeypatch.setenv("OUR_KEY", "sk-very-secret")
    url, asked = saying(401, json.dumps({"error": {"message": "no: sk-very-secret is unknown"}}))
    config = load(tmp_path / "weakspot.toml", ["gateway.upstream_api_key_env=OUR_KEY"])
    with pytest.raises(UserError, match="HTTP 401: no: <API_KEY> is unknown") as raised:
        OpenAIClient.of(config, url).models()
    assert "secret" not in str(raised.value)
    assert asked[0][0]["Authorization"] == "Bearer sk-very-secret"


def test_without_an_address_it_is_the_local_model_of_the_settings(tmp_path):
    config = load(tmp_path / "weakspot.toml", ["gateway.upstream=http://127.0.0.1:9/v1"])
    assert OpenAIClient.of(config).url == "http://127.0.0.1:9/v1"
    with pytest.raises(UserError, match=r"cannot be reached .*; start the server, or give --server"):
        OpenAIClient.of(config).models()


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"data": 3}', '{"choices": []}', "<html>"])
def test_what_is_no_answer_is_one_line(saying, body):
    url, _ = saying(200, body)
    with pytest.raises(UserError, match="lists no models; give the address of an OpenAI-compatible server"):
        OpenAIClient(url).models()
    with pytest.raises(UserError, match="gave no answer for any"):
        OpenAIClient(url).chat("any", QUESTION, 4)


def test_an_error_is_its_status_and_its_words(saying):
    url, _ = saying(500, "out\n of   memory")
    with pytest.raises(ServerError, match=r"^out of memory$") as raised:
        OpenAIClient(url).call("POST", "/any", {})
    assert raised.value.status == 500


def test_a_password_in_the_address_is_known_to_the_settings_and_shown_to_nobody(tmp_path):
    config = load(tmp_path / "none.toml", ["gateway.upstream=http://user:the-canary@127.0.0.1:9/v1"])
    for client in (OpenAIClient.of(config), OpenAIClient.of(config, "http://127.0.0.1:9/v1")):
        assert client.url == "http://127.0.0.1:9/v1"
        with pytest.raises(UserError) as error:
            client.models()
        assert "the-canary" not in str(error.value)
    assert config.address_of("http://127.0.0.1:9/v1/") == "http://user:the-canary@127.0.0.1:9/v1"
    assert config.address_of("http://127.0.0.1:8/v1") == "http://127.0.0.1:8/v1"


ANSWERS = [([1, 2, 3], [7, 8, 9, 7], [0, 1, 3]), ([4], [8], [0])]


def likelihood(before) -> float:
    return -len(before) / 10


def vllm_choices(body):
    allowed = body.get("allowed_token_ids", [0])
    return [
        {"index": n, "token_ids": allowed, "logprobs": {"token_logprobs": [likelihood(prompt)]}}
        for n, prompt in enumerate(body["prompt"])
    ][::-1]


def llama_choices(body):
    written = [int(one) for one in re.findall(r"<\[(\d+)\]>", body.get("grammar", "root ::= <[0]>"))]
    content = [{"id": one, "logprob": likelihood([*body["prompt"], *written[:n]])} for n, one in enumerate(written)]
    return [{"index": 0, "token_ids": None, "logprobs": {"content": content}}]


@pytest.mark.parametrize("choices", [vllm_choices, llama_choices])
def test_a_server_is_made_to_write_a_given_answer(saying, choices):
    url, asked = saying(200, lambda body: {"choices": choices(body)})
    assert OpenAIClient(url).score("it", ANSWERS) == [[-0.3, -0.4, -0.6], [-0.1]]
    if choices is vllm_choices:  # a request for each token that is allowed
        assert [len(json.loads(data)["prompt"]) for _, data in asked] == [2, 2]


@pytest.mark.parametrize(
    "answer",
    [{}, {"choices": []}, {"choices": [{"index": 0, "text": "A."}]}, {"choices": vllm_choices({"prompt": [[]]})}],
)
def test_a_server_that_writes_something_else_scores_nothing(saying, answer):
    url, _ = saying(200, lambda _: answer)
    assert OpenAIClient(url).score("it", ANSWERS) is None


def test_a_server_that_takes_no_token_ids_scores_nothing(saying):
    url, _ = saying(400, "no")
    assert OpenAIClient(url).score("it", ANSWERS) is None
