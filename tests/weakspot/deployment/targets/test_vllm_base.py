"""A server with another base than the adapter's is told so before it loads anything, with how to start it."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch
from safetensors.torch import save_file

from weakspot.deployment.openai_client import OpenAIClient
from weakspot.deployment.targets import vllm
from weakspot.records import BaseReference
from zddc.errors import UserError

CONFIG = {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "num_hidden_layers": 24, "hidden_size": 896}


class Listing(BaseHTTPRequestHandler):
    """Lists one model, as vLLM does, and notes what it is asked to load."""

    def do_GET(self):
        self.answer({"data": [{"id": "served", "root": self.server.root, "parent": None}]})

    def do_POST(self):
        self.server.loaded.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["lora_name"])
        self.answer({})

    def answer(self, body):
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Listing) as listening:
        listening.root, listening.loaded = "", []
        threading.Thread(target=listening.serve_forever, args=(0.01,), daemon=True).start()
        yield listening
        listening.shutdown()


@pytest.fixture
def folder(tmp_path):
    """Make a base's folder, with its configuration alone."""

    def made(name, **changed):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(json.dumps(CONFIG | changed))
        return tmp_path / name

    return made


@pytest.fixture
def load(server, folder, tmp_path):
    """Load an adapter for a base of 24 layers into a server whose base is elsewhere."""
    ours = folder("ours")
    tensor = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"
    (tmp_path / "adapter_config.json").write_text(json.dumps({"r": 64}))
    save_file({tensor: torch.zeros(1)}, tmp_path / "adapter_model.safetensors")

    def loading(root):
        server.root = str(root)
        base = BaseReference(name="ours", location=str(ours), revision=None, identity="0")
        vllm.load(OpenAIClient(f"http://127.0.0.1:{server.server_port}/v1"), tmp_path, "spam", base)

    return loading


@pytest.mark.slow
def test_a_base_of_another_shape_is_told_and_nothing_is_loaded(load, server, folder, tmp_path):
    other = folder("other", num_hidden_layers=12, hidden_size=64)
    with pytest.raises(UserError) as told:
        load(other)
    assert told.value.problem == (
        f"was not loaded: {other} is another base than ours: num_hidden_layers 12 for 24, hidden_size 64 for 896"
    )
    assert told.value.remedy == (
        f"start it as: VLLM_ALLOW_RUNTIME_LORA_UPDATING=True vllm serve {tmp_path / 'ours'} "
        "--enable-lora --max-lora-rank 64 --max-loras 2 --lora-target-modules q_proj "
        "(that reserves 2 x 17 MB for adapters; without --lora-target-modules 2 x 233 MB)"
    )
    assert server.loaded == []


@pytest.mark.parametrize("root", ["ours", "copy", "/folder/of/another/machine", "nobody/has-this-one"])
def test_the_same_base_and_what_cannot_be_told_is_left_to_the_proof(load, server, folder, tmp_path, root):
    folder("copy", torch_dtype="bfloat16")
    load(tmp_path / root if root in ("ours", "copy") else root)
    assert server.loaded == ["spam"]
