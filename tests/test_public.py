"""What users see first: public names, quick help, a light import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import culturepark

ROOT = Path(__file__).resolve().parents[1]
HEAVY = (
    "langgraph",
    "langchain",
    "langchain_core",
    "langchain_openai",
    "openai",
    "torch",
    "datasets",
    "aiohttp",
    "numpy",
)


def test_public_names_are_there() -> None:
    assert {name: hasattr(culturepark, name) for name in culturepark.__all__} == dict.fromkeys(
        culturepark.__all__, True
    )
    assert sorted(culturepark.__all__) == dir(culturepark)


def run_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_help_is_quick_and_light() -> None:
    code = (
        "import sys, time, contextlib, io\n"
        "start = time.process_time()\n"
        "from culturepark.cli import main\n"
        "for command in ([], ['generate']):\n"
        "    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):\n"
        "        main([*command, '--help'])\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules], time.process_time() - start)\n"
    )
    heavy, seconds = run_python(code).rsplit(" ", 1)
    assert heavy == "[]"
    assert float(seconds) < 0.5


def test_importing_the_package_is_light() -> None:
    code = f"import sys, culturepark\nprint([m for m in {HEAVY!r} if m in sys.modules])"
    assert run_python(code).strip() == "[]"


def test_reading_commands_import_no_engine() -> None:
    heavy = ("langgraph", "langchain_core", "openai", "torch")
    code = (
        "import sys, io, contextlib\nfrom culturepark.cli import main\n"
        "with contextlib.redirect_stdout(io.StringIO()):\n    main(['cultures']); main(['topics'])\n"
        f"print([m for m in {heavy!r} if m in sys.modules])"
    )
    assert run_python(code).strip() == "[]"
