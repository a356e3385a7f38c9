"""``croissant.json``: the dataset's files and fields as JSON-LD in the Croissant format 1.0 (MLCommons).

Source of the form: the Croissant specification 1.0; checked with mlcroissant 1.1.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from culturepark.card.facts import Facts
from culturepark.card.fields import MEANINGS, list_columns
from culturepark.card.settings import LINK, Settings
from culturepark.card.terms import find_survey_terms, load_licences
from culturepark.export.formats import FORMATS

CONFORMS = "http://mlcommons.org/croissant/1.0"
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_TYPES = {"text": "sc:Text", "whole": "sc:Integer", "real": "sc:Float", "texts": "sc:Text"}
_PARTS = {"chat": ("role", "content"), "said": ("from", "value"), "verdicts": ("stage", "kept", "reason", "evidence")}
_SPLIT = r".*/(train|validation|test)(?:-[0-9]+-of-[0-9]+)?\.(?:parquet|jsonl)$"


def write_croissant(folder: Path, facts: Facts, settings: Settings) -> str:
    """The file as text."""
    formats = [f for f in (facts.export.formats if facts.export else ()) if f in FORMATS]
    sets, records = [], []
    for name in formats or ["samples"]:
        ending = FORMATS[name].file if name in FORMATS else "jsonl"
        place = f"data/{name}/*/*.{ending}" if name in FORMATS else "samples.jsonl"
        columns = dict(FORMATS[name].columns) if name in FORMATS else _keep_plain(list_columns(facts))
        sets.append(_describe_files(name, ending, place))
        records.append(_describe_rows(name, {k: str(v) for k, v in columns.items()}, with_split=name in FORMATS))
    made: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS,
        "name": settings.title,
        "description": f"{facts.rows} samples of {', '.join(sorted(facts.cultures))}: opinions, norms and customs "
        "voiced in talks of synthetic people, in shares that follow a survey. Made by models. See README.md.",
        "version": f"1.0.0+{facts.run_id}",
        "datePublished": str(facts.manifest["updated"])[:10],
        "inLanguage": [tag for tag, _ in facts.languages.most_common()],
        "keywords": ["culture", "synthetic", "survey", "dialogue", *sorted(facts.cultures)],
        "isLiveDataset": False,
        "citeAs": f"{' and '.join(settings.authors) or settings.title}. culturepark run {facts.run_id}.",
        "creator": [{"@type": "sc:Organization", "name": name} for name in settings.authors or ("not stated yet",)],
    }
    if settings.licence:
        spdx = load_licences()[settings.licence.id].spdx
        made["license"] = (
            f"https://spdx.org/licenses/{spdx}.html" if spdx else settings.licence.link or settings.licence.id
        )
    if LINK.fullmatch(settings.contact):
        made["url"] = settings.contact
    based = [find_survey_terms(name) for name in facts.surveys]
    made["isBasedOn"] = [{"@type": "sc:Dataset", "name": t.name, "citation": t.citation} for t in based if t.citation]
    made["distribution"], made["recordSet"] = sets, records
    return json.dumps(made, ensure_ascii=False, indent=1) + "\n"


def _keep_plain(columns: dict[str, str]) -> dict[str, Any]:
    """A run's own lines also hold objects of many shapes, which no field type fits."""
    return {name: kind for name, kind in columns.items() if name not in ("lineage", "findings")}


def _describe_files(name: str, ending: str, place: str) -> dict[str, Any]:
    kind = "application/x-parquet" if ending == "parquet" else "application/jsonlines"
    return {
        "@type": "cr:FileSet",
        "@id": f"{name}-files",
        "name": f"{name}-files",
        "encodingFormat": kind,
        "includes": place,
    }


def _describe_rows(name: str, columns: dict[str, str], with_split: bool) -> dict[str, Any]:
    fields = [_describe_field(name, column, kind) for column, kind in columns.items()]
    if with_split:
        source = {
            "fileSet": {"@id": f"{name}-files"},
            "extract": {"fileProperty": "fullpath"},
            "transform": {"regex": _SPLIT},
        }
        fields.insert(0, {**_head(f"{name}/split", "split the row is in"), "dataType": "sc:Text", "source": source})
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": f"Rows in the format {name}.",
        "field": fields,
    }


def _describe_field(name: str, column: str, kind: str) -> dict[str, Any]:
    made = _head(f"{name}/{column}", MEANINGS.get(column, column))
    source = {"fileSet": {"@id": f"{name}-files"}, "extract": {"column": column}}
    if kind in _PARTS:
        made["repeated"] = True
        made["subField"] = [
            {
                **_head(f"{name}/{column}/{part}", f"{part} of {column}"),
                "dataType": "sc:Boolean" if part == "kept" else "sc:Text",
                "source": {**source, "transform": {"jsonPath": part}},
            }
            for part in _PARTS[kind]
        ]
        return made
    made |= {"dataType": _TYPES.get(kind, "sc:Text"), "source": source}
    if kind == "texts":
        made["repeated"] = True
    return made


def _head(name: str, description: str) -> dict[str, Any]:
    return {"@type": "cr:Field", "@id": name, "name": name, "description": description}
