"""Adapters are PEFT's format, the same bytes for the same weights."""

import os
import subprocess
import sys

import torch

from weakspot.model import bases, lora
from weakspot.model.bases import Base
from weakspot.tables import Lora

ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "up_proj"]


def attached(tiny_base, seed=7):
    plain = bases.load_model(Base("tiny", str(tiny_base), None), torch.float32)
    return lora.attach(plain, Lora(rank=4, alpha=8), ALL, seed, checkpointing=False)


def test_plain_peft_loads_what_was_saved(tiny_base, tmp_path):
    from peft import AutoPeftModelForCausalLM

    model = attached(tiny_base)
    lora.save(model, tmp_path)
    again = AutoPeftModelForCausalLM.from_pretrained(tmp_path)
    ids = torch.tensor([[5, 6, 7]])
    torch.testing.assert_close(model.eval()(input_ids=ids).logits, again.eval()(input_ids=ids).logits)


def test_the_same_seed_gives_the_same_bytes_whatever_the_hash_seed(tiny_base, tmp_path):
    code = (
        "import sys, torch; from pathlib import Path; from weakspot.config import Lora\n"
        "from weakspot.model import bases, lora\n"
        "plain = bases.load_model(bases.Base('tiny', sys.argv[1], None), torch.float32)\n"
        f"lora.save(lora.attach(plain, Lora(rank=4, alpha=8), {ALL}, 7, checkpointing=False), Path(sys.argv[2]))\n"
    )
    for seed in ("1", "2"):
        command = [sys.executable, "-c", code, str(tiny_base), str(tmp_path / seed)]
        subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": seed}, check=True)
    for name in (lora.SETTINGS, lora.WEIGHTS):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def test_without_its_adapter_the_model_is_the_base(tiny_base, tmp_path):
    model = attached(tiny_base)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.fill_(0.1)
    lora.save(model, tmp_path)
    plain = bases.load_model(Base("tiny", str(tiny_base), None), torch.float32)
    ids = torch.tensor([[5, 6, 7]])
    wanted = plain(input_ids=ids).logits
    loaded = lora.load(plain, tmp_path)
    assert not torch.equal(loaded(input_ids=ids).logits, wanted)
    with loaded.disable_adapter():
        assert torch.equal(loaded(input_ids=ids).logits, wanted)
