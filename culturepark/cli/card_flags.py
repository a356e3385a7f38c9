"""The flags of ``culturepark card``; nothing heavy is imported here."""

from __future__ import annotations

import argparse

CARD_FLAGS = ("--check", "--license", "--license-name", "--license-link", "--contact", "--title", "--authors")


def add_card_flags(parser: argparse.ArgumentParser) -> None:
    """Add what ``card`` takes."""
    parser.add_argument("run", metavar="RUN", help="run folder; with --check any folder that has a README.md")
    parser.add_argument("--check", action="store_true", help="hold the card against the checklist; write nothing")
    parser.add_argument("--license", metavar="ID", help="licence of the data: an SPDX or Hub id such as cc-by-nc-4.0")
    parser.add_argument("--license-name", metavar="NAME", default="", help="with --license other: its name")
    parser.add_argument("--license-link", metavar="URL", default="", help="with --license other: where its text is")
    parser.add_argument("--contact", metavar="TEXT", help="mail or web address to write to, for removal too")
    parser.add_argument("--title", metavar="TEXT", help="name of the dataset (default: after its cultures)")
    parser.add_argument("--authors", metavar="LIST", help="who made it; several divided by semicolons")
    parser.add_argument("-o", "--output-dir", metavar="DIR", help="folder of the export (default: the run folder)")
    parser.add_argument("--json", action="store_true", help="with --check: one JSON line a row")
