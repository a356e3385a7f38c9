"""The flags of ``culturepark push`` and of pushing after ``generate``; nothing heavy is imported here."""

from __future__ import annotations

import argparse

PUSH_FLAGS = ("--repo-id", "--public", "--license", "--include-rejected", "--tag", "--revision", "--push-to-hub")


def add_push_flags(parser: argparse.ArgumentParser) -> None:
    """Add what ``push`` takes."""
    parser.add_argument("run", metavar="RUN", help="run folder")
    parser.add_argument("--repo-id", metavar="ORG/NAME", required=True, help="dataset repository, made if not there")
    parser.add_argument("--folder", metavar="DIR", help="where the export lies (default: the run folder itself)")
    parser.add_argument("--tag", metavar="NAME", help="name of this version (default: run-ID)")
    parser.add_argument("--revision", metavar="BRANCH", default="main", help="branch to push to (main)")
    parser.add_argument("--dry-run", action="store_true", help="list files and sizes; send and write nothing")
    _add_terms(parser)


def add_push_to_hub_flags(parser: argparse.ArgumentParser) -> None:
    """Add what ``generate`` takes to push when it is done."""
    parser.add_argument("--push-to-hub", metavar="ORG/NAME", help="push the finished run there, as 'push' does")
    _add_terms(parser)


def _add_terms(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--public", action="store_true", help="make a new repository public (default: private)")
    parser.add_argument("--license", metavar="ID", help="licence of the data, such as cc-by-nc-4.0")
    parser.add_argument("--license-name", metavar="NAME", default="", help="with --license other: its name")
    parser.add_argument("--license-link", metavar="URL", default="", help="with --license other: its text")
    parser.add_argument("--include-rejected", action="store_true", help="push the rejected candidates too")
