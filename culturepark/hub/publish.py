"""``push_run``: a run's data and card to a dataset repository on the Hugging Face Hub."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from culturepark.errors import ConfigError
from culturepark.hub.client import HubClient, check_repo_id, find_token
from culturepark.hub.files import show_size
from culturepark.hub.parcel import Parcel, Terms, pack_run
from culturepark.hub.push import Pushed, Pusher
from culturepark.runs.folder import Run, load_run

_REF = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9_-])?")


def push_run(
    run: Run | str | Path,
    repo_id: str,
    *,
    folder: str | Path | None = None,
    public: bool = False,
    license: str | None = None,
    license_name: str = "",
    license_link: str = "",
    include_rejected: bool = False,
    tag: str | None = None,
    revision: str = "main",
    token: str | None = None,
    dry_run: bool = False,
    say: Callable[[str], None] = lambda line: None,
    pause: Callable[[float], None] = time.sleep,
) -> Pushed | None:
    """Push a run's export (made if there is none) and its card in one commit; what is there already is not sent.

    ``folder`` is where the export lies (default: the run's own), ``revision`` a branch, ``tag`` a name for the
    commit (default: ``run-`` and the run's id, which is moved when the run is pushed again). The token is the given
    one, ``HF_TOKEN`` or the Hub's own login. ``say`` hears what is done. Returns ``None`` for a dry run, which sends
    and writes nothing. Raises ``ConfigError``, ``DataError``, ``EndpointError``.

    >>> push_run("outputs/try", "org/name", license="cc-by-nc-4.0")
    """
    run = run if isinstance(run, Run) else load_run(run)
    check_target(repo_id, revision, tag)
    secret = "" if dry_run else find_token(token)
    terms = Terms(license, license_name, license_link)
    home = Path(folder) if folder else run.path
    with tempfile.TemporaryDirectory(prefix="culturepark-push-") as scratch:
        parcel = pack_run(run, home, terms, Path(scratch), include_rejected=include_rejected, dry_run=dry_run, say=say)
        if public or dry_run:
            for line in describe_parcel(parcel, repo_id, public):
                say(line)
        if dry_run:
            say("Nothing was sent.")
            return None
        pusher = Pusher(HubClient(repo_id, secret), revision, say, pause)
        own = tag is None
        name = tag or f"run-{re.sub(r'[^A-Za-z0-9_-]', '', parcel.export.run_id)[:12] or 'unknown'}"
        return pusher.push(parcel.files, public, f"CulturePark run {parcel.export.run_id[:12]}", name, may_move=own)


def check_target(repo_id: str, revision: str = "main", tag: str | None = None) -> None:
    """Raise ``ConfigError`` for names that can be no repository, branch or tag; asks nobody."""
    check_repo_id(repo_id)
    for flag, name in (("--revision", revision), ("--tag", tag)):
        if name is not None and (not _REF.fullmatch(name) or ".." in name or name.endswith(".lock")):
            raise ConfigError(f"{flag}: {name[:60]!r} is no name; use letters, digits, '.', '_' and '-'")


def describe_parcel(parcel: Parcel, repo_id: str, public: bool) -> list[str]:
    """What goes to the Hub, one file a line."""
    who = "public: everybody can read it" if public else "private, unless it exists and is public"
    lines = [f"To {repo_id} ({who}), licence {parcel.licence or 'not stated'}:"]
    lines += [f"  {show_size(file.size):>10}  {file.path}" for file in parcel.files]
    return [*lines, f"  {show_size(parcel.size):>10}  in {len(parcel.files)} files"]
