"""The flags of ``culturepark export``; nothing heavy is imported here."""

from __future__ import annotations

import argparse

EXPORT_FLAGS = ("--format", "--list-formats", "--culture", "--by", "--hold-out", "--validation", "--test", "--no-card")


def add_export_flags(parser: argparse.ArgumentParser) -> None:
    """Add what ``export`` takes."""
    parser.add_argument("run", metavar="RUN", nargs="?", help="run folder")
    parser.add_argument(
        "-f", "--format", action="append", metavar="NAME", dest="formats", help="format, repeatable (messages)"
    )
    parser.add_argument("--list-formats", action="store_true", help="list the formats and stop")
    parser.add_argument("-o", "--output-dir", metavar="DIR", help="where to write (default: the run folder itself)")
    parser.add_argument("--culture", "--cultures", metavar="LIST", dest="cultures", help="only these cultures")
    parser.add_argument(
        "--by",
        choices=("auto", "topic", "dialogue", "country"),
        default="auto",
        help="what is held out whole; auto: topics if there are enough, else dialogues",
    )
    parser.add_argument("--hold-out", metavar="LIST", help="country codes that make the test split (EGY,KOR)")
    parser.add_argument("--validation", type=float, default=0.1, metavar="X", help="share of validation (0.1)")
    parser.add_argument("--test", type=float, default=0.1, metavar="X", help="share of test (0.1)")
    parser.add_argument("--seed", type=int, default=0, metavar="K", help="seed of the splits (0)")
    parser.add_argument("--no-card", action="store_true", help="write no dataset card")
    parser.add_argument("--json", action="store_true", help="the record of the export as JSON")
