"""The embedded model (SmolLM2-135M) as a folder that transformers opens, made from its packaged weights.

For trying training out where there is no model hub: it is tiny and knows little but English. The door to safetensors.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from culturepark.errors import DataError, MissingPartError
from culturepark.files import describe_fault
from culturepark.llm.servers import find_embedded_model
from culturepark.training.gguf import Floats, Gguf

EMBEDDED = "embedded"
LICENCE = "apache-2.0"
_CACHE = "smollm2-135m-instruct-1"

_LAYER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def find_cache() -> Path:
    """Where the converted model is kept (538 MB): ``XDG_CACHE_HOME``, or ``.cache`` in the home folder."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "culturepark" / _CACHE


def open_embedded(folder: Path | None = None) -> Path:
    """The folder of the converted embedded model; made at first use, in a few seconds.

    Raises ``MissingPartError`` when the packaged weights are not there.
    """
    folder = folder or find_cache()
    if (folder / "config.json").exists():
        return folder
    packaged = find_embedded_model()
    if packaged is None:
        raise MissingPartError("the embedded model is not installed: run `culturepark setup local`")
    fresh = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    try:
        fresh.mkdir(parents=True, exist_ok=True)
        convert_llama(packaged, fresh)
        try:
            os.replace(fresh, folder)
        except OSError:  # somebody else was quicker
            if not (folder / "config.json").exists():
                raise
    except OSError as error:
        raise DataError(f"{folder}: {describe_fault(error)}") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return folder


def convert_llama(packaged: Path, folder: Path) -> None:
    """Write a GGUF model of the llama family as config, weights (float32) and tokenizer."""
    try:
        from safetensors.numpy import save_file
    except ImportError as error:
        raise MissingPartError("training needs the extra: pip install 'culturepark[train]'") from error
    source = Gguf(packaged)
    settings = source.settings
    if settings.get("general.architecture") != "llama":
        raise DataError(f"{packaged}: is not of the llama family")
    heads, key_heads = settings["llama.attention.head_count"], settings["llama.attention.head_count_kv"]
    weights: dict[str, Floats] = {}
    for name in source.names:
        if name == "rope_freqs.weight":
            continue
        values = source.weights(name)
        if name.endswith(("attn_q.weight", "attn_k.weight")):
            values = _unpermute(values, heads if name.endswith("attn_q.weight") else key_heads)
        weights[_name_weight(name)] = values
    save_file(weights, str(folder / "model.safetensors"), metadata={"format": "pt"})
    _write_json(folder / "tokenizer.json", _make_tokenizer(settings))
    _write_json(folder / "tokenizer_config.json", _make_tokenizer_config(settings))
    (folder / "chat_template.jinja").write_text(settings["tokenizer.chat_template"], encoding="utf-8")
    tied = "lm_head.weight" not in weights
    _write_json(folder / "generation_config.json", _special_ids(settings))
    _write_json(folder / "config.json", _make_config(settings, len(weights["model.embed_tokens.weight"]), tied))


def _name_weight(name: str) -> str:
    fixed = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
    stem, _, kind = name.rpartition(".")
    if stem in fixed:
        return f"{fixed[stem]}.{kind}"
    _, layer, part = stem.split(".", 2)
    return f"model.layers.{int(layer)}.{_LAYER[part]}.{kind}"


def _unpermute(values: Floats, heads: int) -> Floats:
    """Rows of queries and keys back from the interleaved order that llama.cpp rotates in."""
    rows, columns = values.shape
    halves = values.reshape(heads, rows // heads // 2, 2, columns)
    found: Floats = halves.swapaxes(1, 2).reshape(rows, columns)
    return found.copy()


def _special_ids(settings: dict[str, Any]) -> dict[str, int]:
    end = settings["tokenizer.ggml.eos_token_id"]
    pad = settings.get("tokenizer.ggml.padding_token_id", end)
    return {"bos_token_id": settings["tokenizer.ggml.bos_token_id"], "eos_token_id": end, "pad_token_id": pad}


def _make_config(settings: dict[str, Any], words: int, tied: bool) -> dict[str, Any]:
    def get(key: str) -> Any:
        return settings[f"llama.{key}"]

    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "dtype": "float32",
        "hidden_act": "silu",
        "hidden_size": get("embedding_length"),
        "head_dim": get("embedding_length") // get("attention.head_count"),
        "intermediate_size": get("feed_forward_length"),
        "max_position_embeddings": get("context_length"),
        "num_attention_heads": get("attention.head_count"),
        "num_hidden_layers": get("block_count"),
        "num_key_value_heads": get("attention.head_count_kv"),
        "rms_norm_eps": get("attention.layer_norm_rms_epsilon"),
        "rope_parameters": {"rope_type": "default", "rope_theta": get("rope.freq_base")},
        "rope_theta": get("rope.freq_base"),
        "tie_word_embeddings": tied,
        "vocab_size": words,
        **_special_ids(settings),
    }


def _make_tokenizer(settings: dict[str, Any]) -> dict[str, Any]:
    """A byte-level BPE tokenizer in the form of the tokenizers library."""
    words, kinds = settings["tokenizer.ggml.tokens"], settings["tokenizer.ggml.token_type"]
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    special = [{"id": k, "content": words[k], **plain, "special": True} for k, kind in enumerate(kinds) if kind == 3]
    split: list[dict[str, Any]] = [{"type": "Digits", "individual_digits": True}]
    if settings.get("tokenizer.ggml.pre") not in ("smollm", "starcoder"):
        split = []
    split.append({"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True})
    return {
        "version": "1.0",
        "added_tokens": special,
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": split},
        "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {word: k for k, word in enumerate(words)},
            "merges": [pair.split(" ", 1) for pair in settings["tokenizer.ggml.merges"]],
        },
    }


def _make_tokenizer_config(settings: dict[str, Any]) -> dict[str, Any]:
    words, ids = settings["tokenizer.ggml.tokens"], _special_ids(settings)
    unknown = settings.get("tokenizer.ggml.unknown_token_id", 0)
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": words[ids["bos_token_id"]],
        "eos_token": words[ids["eos_token_id"]],
        "pad_token": words[ids["pad_token_id"]],
        "unk_token": words[unknown],
        "clean_up_tokenization_spaces": False,
        "model_max_length": settings["llama.context_length"],
    }


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
