"""The door to ``presidio-analyzer`` (extra ``presidio``): a second opinion on personal data.

Its rules run on an empty pipeline, or on spaCy models the user has; nothing is downloaded. Its recognisers of e-mail
and web addresses are left out: they fetch a list from the network, and the stage has its own. Names, places and dates
are not taken for personal data here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from culturepark.errors import MissingPartError

_NETWORKED = frozenset(("EmailRecognizer", "UrlRecognizer"))
_NO_DATA = frozenset(("DATE_TIME", "PERSON", "LOCATION", "NRP", "ORGANIZATION", "URL", "AGE"))


@dataclass(frozen=True, slots=True)
class Presidio:
    """An analyser for some languages; a text in any other is answered with nothing."""

    engine: Any
    tags: tuple[str, ...]
    threshold: float = 0.4

    def find(self, text: str, tag: str) -> list[str]:
        """Kinds of personal data in a text whose language has the BCP-47 ``tag``, without their values."""
        language = tag.split("-")[0]
        if language not in self.tags:
            return []
        found = self.engine.analyze(text=text, language=language, score_threshold=self.threshold)
        return sorted({r.entity_type.lower() for r in found if r.entity_type not in _NO_DATA})


def open_presidio(
    tags: tuple[str, ...] = ("en", "ar", "bn", "de", "es", "ko", "pt", "tr", "zh"),
    models: Mapping[str, str] | None = None,
) -> Presidio:
    """An analyser; ``models`` names an installed spaCy model for a tag. Raises ``MissingPartError``."""
    try:
        from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
        from presidio_analyzer.nlp_engine import SpacyNlpEngine

        spacy = import_module("spacy")  # comes with presidio
    except ImportError as error:
        raise MissingPartError("presidio is not installed; install culturepark[presidio]") from error
    chosen = dict(models or {})
    engine = SpacyNlpEngine(models=[{"lang_code": t, "model_name": chosen.get(t, "xx")} for t in tags])
    try:
        engine.nlp = {t: spacy.load(chosen[t]) if t in chosen else spacy.blank("xx") for t in tags}
    except OSError as error:
        raise MissingPartError(f"presidio: a spaCy model of {sorted(chosen.values())} is not installed") from error
    registry = RecognizerRegistry(supported_languages=list(tags))
    registry.load_predefined_recognizers(languages=list(tags))
    registry.recognizers = [r for r in registry.recognizers if type(r).__name__ not in _NETWORKED]
    return Presidio(AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=list(tags)), tags)
