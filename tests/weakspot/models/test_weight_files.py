"""Weight files are read by their headers: what is missing or cut short is told, and a base is known by its content."""

import contextlib
import json
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weakspot.models import weight_files
from zddc.errors import UserError

LARGE = 5 << 20


def write(file: Path, tensors: dict[str, bytes]) -> None:
    """Write a safetensors file of bytes, each of which is one number."""
    header, place = {}, 0
    for name, data in tensors.items():
        header[name] = {"dtype": "U8", "shape": [len(data)], "data_offsets": [place, place + len(data)]}
        place += len(data)
    text = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    file.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(tensors.values()))


def write_base(folder: Path, shards: dict[str, dict[str, bytes]], **config) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", **config}))
    for name, tensors in shards.items():
        write(folder / name, tensors)
    if list(shards) != [weight_files.SINGLE]:
        names = {tensor: file for file, tensors in shards.items() for tensor in tensors}
        (folder / weight_files.INDEX).write_text(json.dumps({"weight_map": names}))
    return folder


@pytest.fixture
def sharded(tmp_path):
    return write_base(tmp_path / "base", {"model-1.safetensors": {"a": b"1234"}, "model-2.safetensors": {"b": b"56"}})


def test_tensors_are_read_by_their_names(sharded):
    found = weight_files.read_tensors(sharded)
    assert {name: (one.file.name, one.dtype, one.shape, one.size) for name, one in found.items()} == {
        "a": ("model-1.safetensors", "U8", (4,), 4),
        "b": ("model-2.safetensors", "U8", (2,), 2),
    }
    one = found["b"]
    assert one.file.read_bytes()[one.start : one.start + one.size] == b"56"


def test_weights_that_are_stored_twice_are_read_once(sharded):
    write(sharded / "consolidated.safetensors", {"c": b"1234"})
    assert weight_files.read_tensors(sharded).keys() == {"a", "b"}
    files = weight_files.weight_files(sharded)
    (sharded / "params.json").write_text("{}")
    (sharded / "consolidated.safetensors.index.json").write_text("{}")
    (sharded / "tokenizer.model").write_text("")
    kept = {file.name for file in sharded.iterdir() if not weight_files.holds_other_weights(file, files)}
    shards = {"model-1.safetensors", "model-2.safetensors"}
    assert kept == {"config.json", "tokenizer.model", weight_files.INDEX, *shards}


def test_one_file_is_preferred_to_an_index_which_is_then_left_out(sharded):
    write(sharded / weight_files.SINGLE, {"whole": b"123456"})
    files = weight_files.weight_files(sharded)
    assert [file.name for file in files] == [weight_files.SINGLE]
    left = {file.name for file in sharded.iterdir() if weight_files.holds_other_weights(file, files)}
    assert left == {"model-1.safetensors", "model-2.safetensors", weight_files.INDEX}


def test_a_missing_part_is_named(sharded):
    (sharded / "model-2.safetensors").unlink()
    with pytest.raises(
        UserError, match=r"model-2\.safetensors: is missing: .*index.* names it; download the base again"
    ):
        weight_files.read_tensors(sharded)


def test_a_tensor_that_only_the_index_has_is_named(sharded):
    write(sharded / "model-2.safetensors", {"other": b"56"})
    with pytest.raises(UserError, match=r"model-2\.safetensors: does not hold b, which"):
        weight_files.read_tensors(sharded)


@pytest.mark.parametrize("size", [0, 7, 20, -1])
def test_a_file_that_is_cut_short_is_named(sharded, size):
    file = sharded / "model-1.safetensors"
    file.write_bytes(file.read_bytes()[:size])
    with pytest.raises(UserError, match=r"model-1\.safetensors: is cut short.*download the base again"):
        weight_files.read_tensors(sharded)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 4\n", "is a pointer of Git LFS"),
        (struct.pack("<Q", 2) + b"[]", "has a damaged header"),
        (struct.pack("<Q", 8) + b'{"a": 1}', "has a damaged header"),
        (struct.pack("<Q", 2) + b"{}more", "has more in it than its header says"),
        (b"<!DOCTYPE html><html></html>", "is cut short or no safetensors file"),
    ],
)
def test_a_file_of_something_else_is_told(sharded, content, told):
    (sharded / "model-1.safetensors").write_bytes(content)
    with pytest.raises(UserError, match=told):
        weight_files.read_tensors(sharded)


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"weight_map": {}}', '{"weight_map": {"a": "../b"}}', '{"weight_map": 3}']
)
def test_a_damaged_index_is_told(sharded, text):
    (sharded / weight_files.INDEX).write_text(text)
    with pytest.raises(UserError, match="is no index of weights"):
        weight_files.read_tensors(sharded)


def test_a_folder_without_weights_is_told(tmp_path):
    with pytest.raises(UserError, match="holds no weights"):
        weight_files.read_tensors(tmp_path)


@given(st.binary(max_size=200), st.integers(0, 300))
def test_whatever_lies_in_a_file_is_read_or_is_an_error_of_ours(tmp_path_factory, data, length):
    file = tmp_path_factory.mktemp("any") / weight_files.SINGLE
    for content in (data, struct.pack("<Q", length) + data):
        file.write_bytes(content)
        with contextlib.suppress(UserError):
            list(weight_files.read_header(file))


def test_the_digest_is_that_of_the_content_wherever_and_however_it_lies(sharded, tmp_path):
    known = weight_files.digest(sharded)
    whole = write_base(tmp_path / "x", {weight_files.SINGLE: {"b": b"56", "a": b"1234"}}, transformers_version="9")
    assert weight_files.digest(whole) == known
    assert weight_files.digest(whole, whole=True) == known
    others = [
        write_base(tmp_path / "y", {weight_files.SINGLE: {"b": b"56", "a": b"1235"}}),
        write_base(tmp_path / "z", {weight_files.SINGLE: {"b": b"56", "a": b"1234"}}, rms_norm_eps=0.5),
        write_base(tmp_path / "w", {weight_files.SINGLE: {"c": b"56", "a": b"1234"}}),
    ]
    assert known not in {weight_files.digest(other) for other in others}


def test_of_large_tensors_samples_are_read_and_everything_on_request(tmp_path):
    digests = []
    for number, (place, size) in enumerate(((0, 0), (1, 1), (2, LARGE // 2), (LARGE - 9, 1))):
        data = bytes(place) + b"\1" * size + bytes(LARGE - place - size)
        base = write_base(tmp_path / str(number), {weight_files.SINGLE: {"a": data}})
        digests.append([weight_files.digest(base, whole=whole) for whole in (False, True)])
    sampled, everything = zip(*digests, strict=True)
    assert len(set(everything)) == 4
    assert len(set(sampled)) == 2  # half of a tensor is seen, one number is not


@pytest.mark.parametrize("prefix", ["model.language_model.", "language_model.model.", "language_model.", "model.", ""])
@pytest.mark.parametrize("own", ["model.", "model.language_model."])
def test_layers_are_found_under_whatever_prefix_they_are_stored(prefix, own):
    layers = [f"{own}layers.{n}.self_attn.{one}_proj" for n in range(2) for one in "qk"]
    stored = {f"{prefix}layers.{n}.self_attn.{one}_proj.weight" for n in range(2) for one in "qkv"}
    vision = {name.replace(prefix or "layers", f"vision_tower.{prefix or 'layers'}", 1) for name in stored}
    names = weight_files.stored_names(stored | vision, layers)
    assert names == {layer: f"{prefix}layers.{layer.partition('layers.')[2]}.weight" for layer in layers}


def test_a_layer_that_is_not_stored_is_left_out():
    assert weight_files.stored_names({"model.layers.0.q.weight"}, ["model.layers.0.q", "model.layers.0.k"]) == {
        "model.layers.0.q": "model.layers.0.q.weight"
    }
    assert weight_files.stored_names({"h.0.q.weight"}, ["transformer.h.0.q"]) == {}
