"""The configuration of a run: one flat set of keys, the same in YAML, on the command line and in Python.

The data part decides what the samples are; its fingerprint is the identity of a run. The run part
(``RUN_KEYS``) decides how the work is done and may change between sittings.
"""

from __future__ import annotations

from culturepark.config.build import PRESETS, build_config, fingerprint
from culturepark.config.keys import REFINE_KEYS, RUN_KEYS
from culturepark.config.servers import Server, split_judge, split_servers
from culturepark.config.settings import RunConfig

__all__ = [
    "PRESETS",
    "REFINE_KEYS",
    "RUN_KEYS",
    "RunConfig",
    "Server",
    "build_config",
    "fingerprint",
    "split_judge",
    "split_servers",
]
