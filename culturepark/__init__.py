"""CulturePark: culturally grounded dialogue data for training language models.

>>> import culturepark
>>> run = culturepark.generate(cultures=["arab", "korean"], n=20, engine="mock")
>>> for sample in run.samples():
...     print(sample.messages)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from culturepark.version import __version__

if TYPE_CHECKING:
    from culturepark.config import RunConfig
    from culturepark.errors import (
        CallError,
        ConfigError,
        CultureParkError,
        DataError,
        EndpointError,
        MissingPartError,
        ShortfallError,
    )
    from culturepark.export.dataset import preference_dataset, sft_dataset
    from culturepark.export.write import export_run
    from culturepark.hub.publish import push_run
    from culturepark.records import Dialogue, Persona, Rejected, Sample
    from culturepark.runs.folder import Run, load_run
    from culturepark.runs.generate import generate
    from culturepark.runs.refine import refine_run
    from culturepark.runs.screen import screen_rows
    from culturepark.training.callbacks import SurveyFitCallback  # noqa: F401
    from culturepark.training.train import train

# Looked up at first use, so that ``import culturepark`` and ``--help`` stay quick.
_HOMES = {
    "export_run": "culturepark.export.write",
    "preference_dataset": "culturepark.export.dataset",
    "push_run": "culturepark.hub.publish",
    "sft_dataset": "culturepark.export.dataset",
    "train": "culturepark.training.train",
    "SurveyFitCallback": "culturepark.training.callbacks",  # not in __all__: it needs the extra "train"
    "generate": "culturepark.runs.generate",
    "load_run": "culturepark.runs.folder",
    "refine_run": "culturepark.runs.refine",
    "screen_rows": "culturepark.runs.screen",
    "Run": "culturepark.runs.folder",
    "RunConfig": "culturepark.config",
    "Dialogue": "culturepark.records",
    "Persona": "culturepark.records",
    "Rejected": "culturepark.records",
    "Sample": "culturepark.records",
    "CallError": "culturepark.errors",
    "ConfigError": "culturepark.errors",
    "CultureParkError": "culturepark.errors",
    "DataError": "culturepark.errors",
    "EndpointError": "culturepark.errors",
    "MissingPartError": "culturepark.errors",
    "ShortfallError": "culturepark.errors",
}

__all__ = [
    "CallError",
    "ConfigError",
    "CultureParkError",
    "DataError",
    "Dialogue",
    "EndpointError",
    "MissingPartError",
    "Persona",
    "Rejected",
    "Run",
    "RunConfig",
    "Sample",
    "ShortfallError",
    "__version__",
    "export_run",
    "generate",
    "load_run",
    "preference_dataset",
    "push_run",
    "refine_run",
    "screen_rows",
    "sft_dataset",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'culturepark' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
