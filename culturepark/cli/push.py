"""``culturepark push``: a run's data and card to the Hugging Face Hub."""

from __future__ import annotations

import argparse
import shlex

from culturepark.cli.conversation import plain
from culturepark.config import RunConfig
from culturepark.errors import CultureParkError
from culturepark.hub.client import find_token
from culturepark.hub.files import show_size
from culturepark.hub.parcel import Terms, foresee_clash
from culturepark.hub.publish import check_target, push_run
from culturepark.hub.push import Pushed
from culturepark.runs.folder import Run


def run_push(options: argparse.Namespace) -> int:
    """Push a run."""
    pushed = push_run(
        options.run,
        options.repo_id,
        folder=options.folder,
        public=options.public,
        license=options.license,
        license_name=options.license_name,
        license_link=options.license_link,
        include_rejected=options.include_rejected,
        tag=options.tag,
        revision=options.revision,
        dry_run=options.dry_run,
        say=say,
    )
    if pushed is not None:
        for line in describe_pushed(pushed):
            say(line)
    return 0


def say(line: str) -> None:
    """Tell the user at once."""
    print(plain(line), flush=True)


def check_push(options: argparse.Namespace, config: RunConfig) -> None:
    """Before a long run: is all there that a push will need? Raises ``ConfigError``."""
    check_target(options.push_to_hub)
    foresee_clash(config, Terms(options.license, options.license_name, options.license_link))
    if not options.dry_run:
        find_token()


def push_finished(run: Run, options: argparse.Namespace) -> None:
    """Push what ``generate`` has made. A failure is told with the command that goes on."""
    options.run, options.repo_id = str(run.path), options.push_to_hub
    options.folder, options.tag, options.revision = None, None, "main"
    try:
        run_push(options)
    except CultureParkError as error:
        again = shlex.join(["culturepark", "push", str(run.path), "--repo-id", options.push_to_hub])
        raise type(error)(f"{error}; the run is done and kept; to push it: {again}") from None


def describe_pushed(pushed: Pushed) -> list[str]:
    """What a push did, for people."""
    if pushed.made:
        gone = f", {len(pushed.deleted)} of an earlier push removed" if pushed.deleted else ""
        did = f"Pushed {pushed.files} files, {show_size(pushed.bytes)}{gone}, in commit {pushed.commit[:12]}"
    else:
        did = f"Nothing new: {pushed.files} files lie there already, in commit {pushed.commit[:12]}"
    seen = "private" if pushed.private else "public"
    return [f"{did} (tag {pushed.tag}, {seen}).", pushed.url, f"Load it: datasets.load_dataset({pushed.repo_id!r})"]
