"""Terms of surveys, models and licences, and where they clash. Facts about terms, no legal advice."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from culturepark.config import split_judge
from culturepark.culture.scenarios import load_topics
from culturepark.errors import ConfigError, DataError
from culturepark.files import load_yaml_model, nearest, read_yaml
from culturepark.runs.folder import Run

_FOLDER = Path(__file__).resolve().parent
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,60}")
_FREE_TEXT = frozenset({"other", "unknown"})
# Licences that say what becomes of models which learn from the data.
_FAMILIES = frozenset({"llama2", "llama3", "llama3.1", "llama3.2", "llama3.3"})
Provenance = Literal["read", "notes", "recalled"]
Outputs = Literal["free", "conditions", "no_competing", "own_family", "noncommercial", "unknown"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SurveyTerms(_Strict):
    """What a survey asks of those who use its figures."""

    name: str
    years: tuple[int, int] | None = None
    terms: str
    noncommercial: bool = False
    redistribution: str
    weighting: str = ""
    link: str = ""
    citation: str = ""
    doi: str = ""
    provenance: Provenance


class ModelTerms(_Strict):
    """What a model's terms say of the texts it wrote; ``match`` is a pattern over the model's name."""

    match: str = ""
    name: str
    terms: str
    outputs: Outputs
    note: str
    provenance: Provenance


class _Table(_Strict):
    surveys: dict[str, SurveyTerms]
    models: tuple[ModelTerms, ...]


class Traits(_Strict):
    """What a licence lets others do; ``?`` where its text would have to be read."""

    spdx: str = ""
    commercial: bool | Literal["?"] = True
    changes: bool | Literal["?"] = Field(default=True)


@dataclass(frozen=True, slots=True)
class Licence:
    """The licence of the data as its owner stated it. ``id`` is the Hub's; ``name`` and ``link`` go with ``other``."""

    id: str
    name: str = ""
    link: str = ""


@cache
def load_terms() -> _Table:
    """The packaged table of survey and model terms."""
    return load_yaml_model(_FOLDER / "terms.yaml", _Table)


@cache
def load_licences() -> dict[str, Traits]:
    """The Hub's licence ids and what they allow."""
    return {str(name): Traits.model_validate(value) for name, value in read_yaml(_FOLDER / "licences.yaml").items()}


def settle_licence(given: str | None, name: str = "", link: str = "") -> Licence | None:
    """The licence that was given, by its Hub or SPDX id in any case. Raises ``ConfigError`` for one nobody knows."""
    if given is None or not given.strip():
        if name or link:
            raise ConfigError("--license-name and --license-link go with --license other")
        return None
    wanted = given.strip().casefold()
    known = load_licences()
    by_spdx = {t.spdx.casefold(): hub for hub, t in known.items() if t.spdx}
    found = wanted if wanted in known else by_spdx.get(wanted)
    if found is None:
        hint = nearest(wanted, [*known, *by_spdx])
        raise ConfigError(
            f"--license: {given[:60]!r} is no licence the Hub knows{hint}; for your own text: --license other"
        )
    if found == "unknown":
        raise ConfigError("--license: 'unknown' states no licence; name one, such as cc-by-nc-4.0")
    if found != "other":
        if name or link:
            raise ConfigError(f"--license-name and --license-link go with --license other, not with {found}")
        return Licence(found)
    if not _NAME.fullmatch(name) or not link:
        raise ConfigError(
            "--license other needs --license-name (small letters, digits, - and .) and --license-link "
            "(LICENSE, or the address of the text)"
        )
    if link not in ("LICENSE", "LICENSE.md") and not re.fullmatch(r"https://[^\s<>\"'()]+", link):
        raise ConfigError("--license-link must be LICENSE, LICENSE.md or an https address")
    return Licence("other", name, link)


def find_survey_terms(survey: str) -> SurveyTerms:
    """The terms of a survey; of one that is not in the table, that they are unknown."""
    return load_terms().surveys.get(survey) or SurveyTerms(
        name=survey, terms="unknown: not in our table", redistribution="unknown", provenance="read"
    )


def find_model_terms(model: str) -> ModelTerms:
    """The terms of a model by its name; of one that is not in the table, that they are unknown."""
    for entry in load_terms().models:
        if re.search(entry.match, model.strip(), re.IGNORECASE):
            return entry
    return ModelTerms(
        name="unknown",
        terms="unknown: not in our table",
        outputs="unknown",
        note="Find out what its terms say of outputs before you publish.",
        provenance="read",
    )


def list_models(run: Run) -> dict[str, tuple[str, ...]]:
    """The models that wrote or judged, as the run names them, with what each did."""
    config = run.manifest["config"]
    talker = str(config.get("model") or "")
    refiner = str(config.get("refine_model") or talker)
    roles: dict[str, list[str]] = {}
    if talker:
        roles.setdefault(talker, []).append("wrote the talks")
    if refiner:
        roles.setdefault(refiner, []).append("read, verified and mended")
    judges = [split_judge(str(judge))[0] for judge in config.get("judges") or ()]
    for judge in judges or ([refiner] if run.manifest["counts"].get("usage", {}).get("harm") else []):
        roles.setdefault(judge, []).append("judged")
    return {hide_path(model): tuple(parts) for model, parts in roles.items()}


def hide_path(model: str) -> str:
    """A model's name; of one given as a folder on the maker's machine only the last part."""
    if model.startswith(("/", "~", ".", "\\")) or re.match(r"[A-Za-z]:[\\/]", model):
        return re.split(r"[\\/]", model.rstrip("\\/"))[-1]
    return model


def find_clash(run: Run, license: str | None) -> str:
    """One line that names how the stated licence clashes with the terms of sources and models, or nothing.

    No licence at all is a clash where the terms set limits: somebody must say what others may do.
    """
    return "; ".join(list_clashes(list_surveys(run), list_models(run), license))


def list_surveys(run: Run) -> tuple[str, ...]:
    """The surveys behind a run's topics; of topics whose files are gone, that their survey is unknown."""
    folder = run.manifest["config"].get("scenarios")
    try:
        topics = load_topics(Path(folder) if folder else None)
    except DataError:
        topics = {}
    asked = {topic for _, topic, _ in run.counts().asked}
    return tuple(sorted({topics[t].survey if t in topics else "unknown" for t in asked}))


def list_clashes(surveys: Iterable[str], models: Iterable[str], licence: str | None) -> list[str]:
    """Each clash in one line."""
    limited = [find_survey_terms(s).name for s in surveys if find_survey_terms(s).noncommercial]
    terms = {m: find_model_terms(m) for m in models}
    limited += [f"the model {m}" for m, t in terms.items() if t.outputs == "noncommercial"]
    family = [m for m, t in terms.items() if t.outputs == "own_family"]
    if not licence:
        if not (limited or family):
            return []
        reasons = [f"non-profit use only, say the terms of {_join(limited)}"] if limited else []
        reasons += [f"outputs of {_join(family)} may improve models of its own family only"] if family else []
        return [f"no licence is stated for the data ({'; '.join(reasons)}); state one, such as cc-by-nc-4.0"]
    traits = load_licences().get(licence, Traits(commercial="?", changes="?"))
    found = []
    if limited and traits.commercial is True:
        found.append(
            f"{licence} lets others make money of the data, but the terms of {_join(limited)} allow non-profit use only"
        )
    if family and licence not in _FREE_TEXT | _FAMILIES:
        found.append(
            f"{licence} lets anything learn from the data, but outputs of {_join(family)} may improve "
            "models of its own family only"
        )
    return found


def list_cautions(models: Iterable[str], licence: Licence | None) -> list[str]:
    """What is no clash but has to be known: conditions that go on, models whose terms are unknown."""
    found = []
    for model in models:
        terms = find_model_terms(model)
        if terms.outputs == "unknown":
            found.append(f"The terms of the model {model} are unknown to us: {terms.note[0].lower()}{terms.note[1:]}")
        elif terms.outputs not in ("free", "noncommercial", "own_family"):
            found.append(f"{model} ({terms.terms}): {terms.note}")
    if licence and load_licences()[licence.id].changes is False:
        found.append(f"{licence.id} forbids sharing what was made of the data; a trained model may count as that.")
    if licence and licence.id == "other":
        found.append(f"The licence {licence.name} is the owner's own text; this program has not read it.")
    return found


def _join(names: Sequence[str]) -> str:
    return " and ".join(names)
