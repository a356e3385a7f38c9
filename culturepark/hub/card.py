"""The card as it goes to the Hub: it names the configurations whose files go along, and no others."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from fnmatch import fnmatchcase
from typing import Any

import yaml

from culturepark.export.front import split_front


def tailor_card(text: str, paths: Collection[str], rejected: str = "") -> str:
    """A card's text for a repository that holds ``paths``; ``rejected`` is the path of the rejected candidates.

    A run's own README also names raw files (samples, dialogues, rejected), which stay at home.
    """
    head, body = split_front(text)
    given = head.get("configs")
    if not isinstance(given, list):
        return text
    configs = [c for c in given if any(fnmatchcase(p, w) for w in _list_patterns(c) for p in paths)]
    if rejected:
        place = {"config_name": "rejected", "data_files": [{"split": "rejected", "path": rejected}]}
        configs = [c for c in configs if c.get("config_name") != "rejected"] + [place]
    if configs == given:
        return text
    block = yaml.safe_dump({**head, "configs": configs}, sort_keys=False, allow_unicode=True, width=1000)
    return f"---\n{block}---\n{body}"


def _list_patterns(config: Any) -> Iterator[str]:
    found = config.get("data_files") if isinstance(config, dict) else None
    for entry in found if isinstance(found, list) else [found]:
        path = entry.get("path") if isinstance(entry, dict) else entry
        yield from (p for p in (path if isinstance(path, list) else [path]) if isinstance(p, str))
