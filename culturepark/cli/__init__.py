"""The command: parser, dispatch, and errors turned into one line and an exit code.

Nothing heavy is imported here; each command's module is imported when it runs.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

from culturepark.cli.card_flags import CARD_FLAGS, add_card_flags
from culturepark.cli.export_flags import EXPORT_FLAGS, add_export_flags
from culturepark.cli.flags import ALL, add_refine_flags, add_run_flags
from culturepark.cli.push_flags import PUSH_FLAGS, add_push_flags, add_push_to_hub_flags
from culturepark.cli.train_flags import TRAIN_FLAGS, add_then_flag, add_train_flags
from culturepark.errors import CultureParkError
from culturepark.files import nearest
from culturepark.runs.outlet import open_outlet
from culturepark.version import __version__

EPILOG = """\
examples:
  culturepark generate --cultures arab,korean --n 5000
  culturepark generate --cultures all --n 800 --base-url http://localhost:8000/v1 --model my-model
  culturepark preview --cultures turkish --engine mock
  culturepark doctor --base-url http://localhost:8000/v1

exit codes: 0 done, 2 wrong configuration, 3 wrong data or folder, 4 model server or Hub,
5 fewer than n samples, 6 something is not installed, 130 interrupted
"""

# command -> (module, function, one-line help)
COMMANDS = {
    "generate": ("culturepark.cli.generate", "run_generate", "make n accepted samples"),
    "preview": ("culturepark.cli.generate", "run_preview", "print a few real dialogues to read; nothing is kept"),
    "validate": ("culturepark.cli.generate", "run_validate", "check configuration, personas and scenarios, no calls"),
    "doctor": ("culturepark.cli.doctor", "run_doctor", "is the model server fit for the work? what is installed?"),
    "status": ("culturepark.cli.browse", "run_status", "what a run has done, what is left, what was rejected and why"),
    "show": ("culturepark.cli.browse", "run_show", "one dialogue or sample as a conversation, with its story"),
    "refine": (
        "culturepark.cli.refine",
        "run_refine",
        "refine a run's talks again with other settings, into a new folder",
    ),
    "rejected": ("culturepark.cli.figures", "run_rejected", "what was dropped, by reason, with examples"),
    "report": ("culturepark.cli.figures", "run_report", "a run's figures; with --labels agreement with people too"),
    "export": ("culturepark.cli.export", "run_export", "a run's samples as files for trainers and the Hub, in splits"),
    "card": (
        "culturepark.cli.card",
        "run_card",
        "a dataset's card from measured facts; --check: a checklist for any card",
    ),
    "push": ("culturepark.cli.push", "run_push", "a run's data and card to the Hugging Face Hub, in one commit"),
    "train": ("culturepark.cli.train", "run_train", "a model from a run's samples, or files for another trainer"),
    "compare": ("culturepark.cli.figures", "run_compare", "the figures of several runs side by side"),
    "events": ("culturepark.cli.events", "run_events", "the story of a run: retries, pauses, slow calls, resumes"),
    "screen": ("culturepark.cli.refine", "run_screen", "the stages that need no model over a JSONL file of any origin"),
    "cultures": ("culturepark.cli.browse", "run_cultures", "list cultures, or show one"),
    "topics": ("culturepark.cli.browse", "run_topics", "list topics, or show one with its survey figures"),
    "setup": ("culturepark.cli.setup", "run_setup_command", "install an optional part: setup local"),
}


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, with the nearest flag where one was mistyped; no flag may be cut short."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{"allow_abbrev": False, **settings})

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and end with 2."""
        words = message.removeprefix("unrecognized arguments: ").split() if "unrecognized" in message else []
        wrong = next((word for word in words if word.startswith("-")), "")
        flag = wrong.split("=")[0]
        hint = nearest(flag, _all_flags()) if flag.startswith("--") else ""
        hint = " (a flag of other commands)" if flag in _all_flags() else hint
        command = next((a for a in sys.argv[1:2] if a in COMMANDS), "")
        if flag:  # what follows an unknown flag, such as --api-key, may be a secret
            message = f"unrecognized arguments: {flag}"
        shown = "".join(c for c in message if c.isprintable())
        self.exit(2, f"culturepark: {shown}{hint}; see: {' '.join(filter(None, ('culturepark', command, '--help')))}\n")


def _all_flags() -> list[str]:
    own = ["--dry-run", "--config", "--labels", "--reason", "--json", "--estimate", "--pilot"]
    return [*(flag for row in ALL for flag in row[0]), *own, *EXPORT_FLAGS, *CARD_FLAGS, *PUSH_FLAGS, *TRAIN_FLAGS]


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = Parser(
        prog="culturepark",
        description="Culturally grounded dialogue data for training language models.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"culturepark {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    made = {name: commands.add_parser(name, help=row[2], description=row[2]) for name, row in COMMANDS.items()}
    for name in ("generate", "preview", "validate", "doctor"):
        add_run_flags(made[name])
    made["generate"].add_argument(
        "--dry-run", action="store_true", help="print the plan with a rough estimate and stop; no calls"
    )
    add_push_to_hub_flags(made["generate"])
    add_push_flags(made["push"])
    add_then_flag(made["generate"])
    add_train_flags(made["train"])
    made["preview"].add_argument("--dialogues", type=int, default=2, metavar="K", help="dialogues to print (default 2)")
    made["preview"].add_argument(
        "--estimate", action="store_true", help="hold a small pilot and say what n samples will take, with an interval"
    )
    made["preview"].add_argument("--pilot", type=int, default=6, metavar="K", help="dialogues of the pilot (default 6)")
    made["status"].add_argument("run", metavar="RUN", help="run folder")
    made["status"].add_argument("--json", action="store_true", help="figures as JSON")
    made["show"].add_argument("run", metavar="RUN", help="run folder")
    made["show"].add_argument(
        "id", metavar="ID", nargs="?", help="dialogue, sample or candidate (default: the first sample)"
    )
    made["refine"].add_argument("run", metavar="RUN", help="run folder whose talks are refined")
    add_refine_flags(made["refine"])
    made["screen"].add_argument("file", metavar="FILE", help="JSONL: messages, or text, or prompt and completion")
    made["screen"].add_argument("--language", dest="tag", default="en", metavar="TAG", help="of rows without one (en)")
    made["screen"].add_argument("-o", "--output-dir", required=True, metavar="DIR", help="where to write")
    add_refine_flags(made["screen"], how=False)
    made["rejected"].add_argument("run", metavar="RUN", help="run folder")
    made["rejected"].add_argument("--reason", metavar="CODE", help="only this reason")
    made["rejected"].add_argument("--culture", metavar="NAME", help="only this culture")
    made["rejected"].add_argument("--examples", type=int, default=2, metavar="K", help="examples of each (default 2)")
    made["rejected"].add_argument("--json", action="store_true", help="whole records, one a line")
    made["report"].add_argument("run", metavar="RUN", help="run folder")
    made["report"].add_argument("--labels", metavar="FILE", help="human scores: CSV or JSONL with id,axis,scorer,score")
    made["report"].add_argument("--json", action="store_true", help="the measures as JSON")
    made["events"].add_argument("run", metavar="RUN", help="run folder")
    made["events"].add_argument("--kind", metavar="KIND", help="only events of this kind")
    made["events"].add_argument("--all", action="store_true", help="every single retry too")
    made["events"].add_argument("--json", action="store_true", help="one JSON line an event")
    add_export_flags(made["export"])
    add_card_flags(made["card"])
    made["compare"].add_argument("runs", metavar="RUN", nargs="+", help="two run folders or more")
    made["compare"].add_argument("--json", action="store_true", help="the table as JSON")
    for name, what in (("cultures", "culture"), ("topics", "topic")):
        made[name].add_argument(what, nargs="?", metavar="NAME", help=f"show this {what} (default: list all)")
        made[name].add_argument("--personas", metavar="DIR", help="your own folder of culture profiles")
        made[name].add_argument("--scenarios", metavar="DIR", help="your own folder of topics, scenes and surveys")
    made["setup"].add_argument("part", choices=("local",), help="local: the embedded model and its server")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    with contextlib.redirect_stderr(open_outlet(sys.stderr)):
        return _run(arguments)


def _run(arguments: Sequence[str] | None) -> int:
    options = build_parser().parse_args(arguments)
    module, function, _ = COMMANDS[options.command]
    try:
        return int(getattr(import_module(module), function)(options))
    except CultureParkError as error:
        print(f"culturepark: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("culturepark: interrupted", file=sys.stderr)
        return 130
    except MemoryError:
        hint = "lower --concurrency or --workers; a run goes on with the same command"
        print(f"culturepark: the memory is used up: {hint}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader of our output went away, as in 'culturepark topics | head'
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f"culturepark: {error.filename or 'the output'}: {error.strerror}", file=sys.stderr)
        return 3
