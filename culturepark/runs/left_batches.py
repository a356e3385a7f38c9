"""Batches an earlier sitting left at a server: whoever cannot collect them is told so before anything is sent."""

from __future__ import annotations

from pathlib import Path

from culturepark.config import RunConfig, split_servers
from culturepark.errors import ConfigError
from culturepark.llm.address import split_base
from culturepark.llm.batch_journal import list_open_batches
from culturepark.llm.faults import show_url
from culturepark.runs.engines import OPENAI_URL, Say


def refuse_left(journal: Path, config: RunConfig, say: Say) -> None:
    """Raise ``ConfigError`` where batches are open that this sitting would pay again.

    So would workers, each with its own clients, and whoever asks another server than the one where they wait.
    """
    left = list_open_batches(journal, say)
    asked = split_servers(config.base_url or OPENAI_URL) if config.engine == "openai" else ()
    here = [url for url in (show_url(split_base(server.url)[0]) for server in asked) if url in left]
    alone = config.workers == 1 and config.executor == "local"
    for server, (batches, requests) in left.items():
        if alone and server in here[:1]:
            continue
        how = f"with --base-url {server}" if alone else "without --workers and --executor"
        raise ConfigError(
            f"{journal}: {requests} requests of this run are paid and wait in {batches} batches at {server}; resume "
            f"{how} to collect them first, or delete that file to pay for them again"
        )
