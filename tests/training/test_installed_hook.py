"""A hook of a package that is really installed (its folder and its metadata on the path), called by ``culturepark train``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from culturepark.runs.folder import Run

ROOT = Path(__file__).resolve().parents[2]
MODULE = """
import json
from pathlib import Path
from culturepark import sft_dataset
from culturepark.training.hooks import TrainResult

class Count:
    def __init__(self, settings, say):
        self.settings, self.say = settings, say
    def on_dataset(self, run, culture):
        rows = len(sft_dataset(run, culture, "train", **self.settings.split))
        folder = Path(self.settings.output_dir)
        (folder / f"{culture}.json").write_text(json.dumps(rows))
        self.say(f"{culture}: {rows} rows")
        return TrainResult(culture, folder, {"rows": rows})

def broken(settings, say):
    raise RuntimeError("never called")
"""


def install(site: Path) -> None:
    """What ``pip install`` leaves of a package with two hooks, one of which is not there."""
    (site / "count_hook.py").write_text(MODULE)
    about = site / "count_hook-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: count-hook\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        "[culturepark.trainers]\ncount = count_hook:Count\ngone = count_hook:NoSuchThing\n"
    )


def call(site: Path, *words: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join((str(site), str(ROOT)))
    command = [sys.executable, "-m", "culturepark", "train", *words]
    return subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=120)


def test_an_installed_package_trains(run: Run, tmp_path: Path) -> None:
    site, out = tmp_path / "site", tmp_path / "out"
    site.mkdir()
    install(site)
    listed = call(site, "--list-hooks")
    assert listed.returncode == 0 and "count      from count_hook:Count" in listed.stdout
    done = call(site, str(run.path), "--hook", "count", "-o", str(out), "--validation", "0", "--test", "0")
    assert done.returncode == 0, done.stderr
    counted = {path.stem: json.loads(path.read_text()) for path in out.iterdir()}
    assert set(counted) == {"arab", "korean"} and sum(counted.values()) == len(run)
    broken = call(site, str(run.path), "--hook", "gone", "-o", str(tmp_path / "none"))
    assert broken.returncode == 6 and broken.stderr.count("\n") == 1 and "cannot be loaded" in broken.stderr
    assert not (tmp_path / "none").exists()
