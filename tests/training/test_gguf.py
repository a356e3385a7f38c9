"""The reader of GGUF files, and the model made of one, over files written by hand."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from culturepark.errors import DataError, MissingPartError
from culturepark.training import embedded
from culturepark.training.embedded import convert_llama, open_embedded
from culturepark.training.gguf import Gguf

RANDOM = np.random.default_rng(0)


def text(value: str) -> bytes:
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def entry(value: Any) -> bytes:
    """A value with its type before it."""
    if isinstance(value, bool):
        return struct.pack("<I?", 7, value)
    if isinstance(value, str):
        return struct.pack("<I", 8) + text(value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    if value and isinstance(value[0], str):
        return struct.pack("<IIQ", 9, 8, len(value)) + b"".join(text(v) for v in value)
    return struct.pack("<IIQ", 9, 5, len(value)) + struct.pack(f"<{len(value)}i", *value)


def write_gguf(path: Path, settings: dict[str, Any], tensors: dict[str, tuple[int, Any, bytes]]) -> Path:
    """``tensors`` are name -> (type, shape, bytes)."""
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(settings))
    head += b"".join(text(k) + entry(v) for k, v in settings.items())
    body = b""
    for name, (kind, shape, raw) in tensors.items():
        head += text(name) + struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}Q", *shape[::-1])
        head += struct.pack("<IQ", kind, len(body))
        body += raw + b"\0" * (-len(raw) % 32)
    path.write_bytes(head + b"\0" * (-len(head) % 32) + body)
    return path


def pack_f32(values: Any) -> tuple[int, Any, bytes]:
    return 0, values.shape, values.astype(np.float32).tobytes()


def test_every_type_comes_back_as_it_was_written(tmp_path: Path) -> None:
    plain = RANDOM.normal(size=(3, 32)).astype(np.float32)
    whole = RANDOM.integers(-127, 128, size=(2, 32))
    q8 = b"".join(np.float16(0.5).tobytes() + row.astype(np.int8).tobytes() for row in whole)
    small = RANDOM.integers(0, 16, size=(1, 64))
    q4 = b""
    for block in small.reshape(-1, 32):
        packed = (block[:16] | block[16:] << 4).astype(np.uint8)
        q4 += np.float16(0.25).tobytes() + np.float16(-2).tobytes() + packed.tobytes()
    path = write_gguf(
        tmp_path / "m.gguf",
        {"a.text": "مرحبا", "a.list": ["x", "y"], "a.numbers": [1, -2], "a.flag": True, "a.real": 0.5},
        {
            "f32": pack_f32(plain),
            "f16": (1, plain.shape, plain.astype(np.float16).tobytes()),
            "q8": (8, whole.shape, q8),
            "q4": (3, small.shape, q4),
        },
    )
    made = Gguf(path)
    expected = {"a.text": "مرحبا", "a.list": ["x", "y"], "a.numbers": [1, -2], "a.flag": True, "a.real": 0.5}
    assert made.settings == expected
    assert np.array_equal(made.weights("f32"), plain)
    assert np.array_equal(made.weights("f16"), plain.astype(np.float16).astype(np.float32))
    assert np.array_equal(made.weights("q8"), whole * 0.5)
    assert np.array_equal(made.weights("q4"), small * 0.25 - 2)


@pytest.mark.parametrize(
    "raw",
    [b"", b"GGU", b"GGML" + b"\0" * 40, b"GGUF" + struct.pack("<IQQ", 3, 1, 2**40), b"GGUF" + struct.pack("<I", 9)],
)
def test_what_is_no_gguf_file_is_one_line(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "m.gguf").write_bytes(raw)
    with pytest.raises(DataError, match="GGUF"):
        Gguf(tmp_path / "m.gguf")


def test_an_unknown_type_of_weights_is_named(tmp_path: Path) -> None:
    made = Gguf(write_gguf(tmp_path / "m.gguf", {}, {"w": (14, (1, 32), b"\0" * 64)}))
    with pytest.raises(DataError, match="weights w are of a type"):
        made.weights("w")


def write_llama(path: Path) -> tuple[Path, dict[str, Any]]:
    """A llama of one layer as llama.cpp packs it, and its weights as transformers has them."""
    words = ["<end>", "<start>", "a", "b", "ab", "1", "2", "12"]
    wide, heads, key_heads = 8, 2, 1
    shapes = {"attn_q": (8, 8), "attn_k": (4, 8), "attn_v": (4, 8), "attn_output": (8, 8), "ffn_gate": (16, 8)}
    shapes |= {"ffn_up": (16, 8), "ffn_down": (8, 16), "attn_norm": (8,), "ffn_norm": (8,)}
    ours = {f"blk.0.{k}.weight": RANDOM.normal(size=s).astype(np.float32) for k, s in shapes.items()}
    ours |= {"token_embd.weight": RANDOM.normal(size=(len(words), wide)).astype(np.float32)}
    ours |= {"output_norm.weight": np.ones(wide, dtype=np.float32)}
    packed = dict(ours)
    for name, count in (("blk.0.attn_q.weight", heads), ("blk.0.attn_k.weight", key_heads)):
        values = ours[name]  # what llama.cpp's own converter does to queries and keys
        packed[name] = values.reshape(count, 2, len(values) // count // 2, wide).swapaxes(1, 2).reshape(values.shape)
    settings = {
        "general.architecture": "llama",
        "llama.block_count": 1,
        "llama.context_length": 64,
        "llama.embedding_length": wide,
        "llama.feed_forward_length": 16,
        "llama.attention.head_count": heads,
        "llama.attention.head_count_kv": key_heads,
        "llama.rope.freq_base": 10000.0,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "tokenizer.ggml.tokens": words,
        "tokenizer.ggml.token_type": [3, 3, 1, 1, 1, 1, 1, 1],
        "tokenizer.ggml.merges": ["a b", "1 2"],
        "tokenizer.ggml.pre": "smollm",
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 0,
        "tokenizer.chat_template": "{{ messages[0]['content'] }}",
    }
    return write_gguf(path, settings, {k: pack_f32(v) for k, v in packed.items()}), ours


@pytest.mark.filterwarnings("ignore")
def test_a_llama_opens_in_transformers_with_its_weights_and_words(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    from transformers import AutoModelForCausalLM, AutoTokenizer

    packed, ours = write_llama(tmp_path / "m.gguf")
    folder = tmp_path / "model"
    folder.mkdir()
    convert_llama(packed, folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    state = model.state_dict()
    assert np.array_equal(state["model.layers.0.self_attn.q_proj.weight"].numpy(), ours["blk.0.attn_q.weight"])
    assert np.array_equal(state["model.layers.0.self_attn.k_proj.weight"].numpy(), ours["blk.0.attn_k.weight"])
    assert np.array_equal(state["model.layers.0.mlp.down_proj.weight"].numpy(), ours["blk.0.ffn_down.weight"])
    assert model.config.eos_token_id == 0 and model.config.rope_parameters["rope_theta"] == 10000.0
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer("<start>ab12<end>")["input_ids"] == [1, 4, 5, 6, 0]  # digits stay single, whatever the merges
    assert tokenizer.apply_chat_template([{"role": "user", "content": "ab"}], tokenize=False) == "ab"


def test_the_converted_model_is_made_once_and_never_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("safetensors")
    packed, _ = write_llama(tmp_path / "m.gguf")
    monkeypatch.setattr(embedded, "find_embedded_model", lambda: packed)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def break_off(path: Path, content: Any) -> None:
        if path.name == "config.json":
            raise OSError(28, "No space left on device")
        path.write_text(json.dumps(content))

    with monkeypatch.context() as patch:
        patch.setattr(embedded, "_write_json", break_off)
        with pytest.raises(DataError, match="the disk is full"):
            open_embedded()
    assert not list((tmp_path / "cache" / "culturepark").iterdir())
    folder = open_embedded()
    assert folder.is_relative_to(tmp_path / "cache")
    monkeypatch.setattr(embedded, "convert_llama", lambda *_: pytest.fail("converted twice"))
    assert open_embedded() == folder


def test_without_the_packaged_weights_it_says_how_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "find_embedded_model", lambda: None)
    with pytest.raises(MissingPartError, match="culturepark setup local"):
        open_embedded(tmp_path / "none")
