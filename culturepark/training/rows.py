"""What a training learns from: rows of one culture or of all, split as in an export, with general data mixed in.

The door to ``datasets`` in this room.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from culturepark.culture.profiles import find_profiles
from culturepark.errors import ConfigError, DataError
from culturepark.export.choice import choose_settings, describe_settings, find_own, is_outgrown, read_settings
from culturepark.export.dataset import gather_dataset
from culturepark.export.records import SPLITS, read_export
from culturepark.export.splits import SplitSettings, assign_splits
from culturepark.files import nearest, parse_objects
from culturepark.runs.folder import Run
from culturepark.runs.sources import Sources
from culturepark.training.hooks import Say
from culturepark.training.settings import TrainSettings

if TYPE_CHECKING:
    import datasets

Message = dict[str, str]
_ROLES = ("system", "user", "assistant")
_ABOUT = {"topic": "", "culture": "", "language": ""}  # of a general row nothing is known
FEWEST = 2  # rows that must be left to train on


@dataclass(frozen=True)
class Rows:
    """Datasets by split, each with ``messages`` (or ``prompt``, ``chosen``, ``rejected``); ``mixed`` rows are in train.

    ``pairs`` is empty unless preference training was asked for, ``chats`` unless training on samples was. ``split``
    says what is held out.
    """

    chats: dict[str, datasets.Dataset]
    pairs: dict[str, datasets.Dataset]
    mixed: int = 0
    split: str = ""

    def topics(self, split: str) -> set[str]:
        """The topics of a split, over chats and pairs."""
        held = [part[split] for part in (self.chats, self.pairs) if split in part]
        return {topic for data in held for topic in data.unique("topic") if topic}

    def cultures(self) -> set[str]:
        """Whose samples are in it; general rows are nobody's."""
        held = [data for part in (self.chats, self.pairs) for data in part.values()]
        return {culture for data in held for culture in data.unique("culture") if culture}

    def count(self) -> dict[str, dict[str, int]]:
        """Rows by kind and split."""
        kinds = (("chats", self.chats), ("pairs", self.pairs))
        return {kind: {split: len(data) for split, data in part.items()} for kind, part in kinds if part}


def choose_cultures(run: Run, settings: TrainSettings, sources: Sources) -> list[str | None]:
    """The cultures a hook is called for, one by one; ``None`` is all of them at once.

    Raises ``ConfigError`` for a culture the run has no samples of.
    """
    counts = run.counts()
    if not counts.accepted:
        raise DataError(f"{run.path}: has no samples to train on; see: culturepark status {run.path}")
    have = sorted(c for c, k in counts.cultures.items() if k)
    if settings.culture.strip().casefold() == "all":
        return [None] if settings.adapters == "shared" else list(have)
    try:
        (culture,) = find_profiles([settings.culture], dict(sources.profiles))
    except ConfigError:
        hint = nearest(settings.culture, have)
        raise ConfigError(f"unknown culture {settings.culture!r}{hint}; the run has: {', '.join(have)}") from None
    if culture not in have:
        raise ConfigError(f"the run has no samples of {culture!r}; it has: {', '.join(have)}")
    return [culture]


def read_rows(run: Run, culture: str | None, settings: TrainSettings, say: Say = lambda line: None) -> Rows:
    """The rows of one training. Raises ``DataError`` when there are too few, or no pairs though they are asked for.

    ``say`` hears where the rows may not be split as an export of the run is.
    """
    how = choose_settings(run, **settings.split)
    _warn_of_export(run, settings, how, say)
    chats: dict[str, Any] = {}
    pairs: dict[str, Any] = {}
    for split in SPLITS:
        if settings.wants_sft:
            chats[split] = gather_dataset(run, "messages", culture, split, how)
        if settings.wants_dpo:
            pairs[split] = gather_dataset(run, "preference", culture, split, how)
    whose = f"of {culture!r} " if culture else ""
    for kind, part in (("samples", chats), ("preference pairs", pairs)):
        if part and len(part["train"]) < FEWEST:
            raise DataError(_describe_lack(run, whose, kind, {s: len(d) for s, d in part.items()}))
    kept = {split: data for split, data in chats.items() if len(data)}
    mixed = 0
    if settings.mix and kept:
        kept["train"], mixed = _mix_in(kept["train"], settings)
    by = assign_splits(run, **asdict(how)).by
    held = {split: data for split, data in pairs.items() if len(data)}
    return Rows(kept, held, mixed, describe_settings(how, by))


def _warn_of_export(run: Run, settings: TrainSettings, how: SplitSettings, say: Say) -> None:
    """Tell where samples that an export of the run holds out may be trained on."""
    export = read_export(Path(settings.split_like)) if settings.split_like else find_own(run)
    if export is None:
        return
    if is_outgrown(export, run):
        say(
            f"the run has {len(run)} samples and had {export.samples} when it was exported: it is split anew here, and "
            "held-out samples of the export may be trained on; export again"
        )
    sides = [assign_splits(run, **asdict(each)).sides for each in (how, read_settings(export))]
    if (sides[0] != sides[1]).any():
        say("split otherwise than the run's export: held-out samples of the export may be trained on")


def _describe_lack(run: Run, whose: str, kind: str, sizes: dict[str, int]) -> str:
    total = sum(sizes.values())
    if kind == "preference pairs" and not total:
        return f"{run.path}: has no preference pairs {whose}; generate with --sample-types single,preference"
    return (
        f"{run.path}: too small to train on: {total} {kind} {whose}are left for training {sizes['train']}, "
        f"validation {sizes['validation']}, test {sizes['test']}; generate more samples"
    )


def _mix_in(train: datasets.Dataset, settings: TrainSettings) -> tuple[datasets.Dataset, int]:
    """The rows and, drawn by seed, as many general ones as make up the share asked for (all when there are fewer)."""
    import datasets

    path = Path(settings.mix)
    general = list(read_mix(path))
    wanted = max(1, round(len(train) * settings.mix_share / (1 - settings.mix_share)))
    drawn = general if wanted >= len(general) else random.Random(settings.seed).sample(general, wanted)
    own = train.select_columns(["messages", *_ABOUT])
    return datasets.concatenate_datasets([own, datasets.Dataset.from_list(drawn, features=own.features)]), len(drawn)


def read_mix(path: Path) -> Iterator[dict[str, Any]]:
    """General rows from a JSONL file of ``messages``, or of ``prompt`` and ``completion`` texts.

    Raises ``ConfigError`` when the file is not there, ``DataError`` naming a line that is neither.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise ConfigError(f"--mix {path}: cannot be read ({error.strerror})") from error
    number = 0
    for number, row in enumerate(parse_objects(lines, path), 1):
        messages = row.get("messages")
        if messages is None and isinstance(row.get("prompt"), str) and isinstance(row.get("completion"), str):
            messages = [{"role": "user", "content": row["prompt"]}, {"role": "assistant", "content": row["completion"]}]
        if messages is None or not is_chat(messages):
            raise DataError(
                f"{path}, row {number}: needs messages that end with the assistant's, or prompt and completion"
            )
        yield {"messages": [{"role": m["role"], "content": m["content"]} for m in messages], **_ABOUT}
    if not number:
        raise DataError(f"{path}: is empty; --mix needs a JSONL file of general data")


def is_chat(messages: Any) -> bool:
    """Is it a list of messages with known roles and words, the last one the assistant's?"""
    if not isinstance(messages, list) or not messages:
        return False
    for message in messages:
        if not isinstance(message, dict) or message.get("role") not in _ROLES:
            return False
        if not isinstance(message.get("content"), str) or not message["content"].strip():
            return False
    return bool(messages[-1]["role"] == "assistant" and any(m["role"] == "user" for m in messages))


def quieten_datasets() -> None:
    """No progress bars of ``datasets``: a training shows its own lines."""
    import datasets

    datasets.disable_progress_bars()
