"""The wheel holds everything a user needs, and works away from the checkout."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_the_wheel_works_away_from_the_checkout(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(tmp_path), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        archive.extractall(tmp_path / "installed")
    for part in ("data/personas/arab.yaml", "data/scenarios/surveys/wvs7/marginals.csv", "prompts/full/speaker.md"):
        assert f"culturepark/{part}" in names
    assert not [n for n in names if n.startswith(("tests/", "outputs/"))]
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'installed')!r})\n"
        "import culturepark; from culturepark.cli import main\n"
        f"assert culturepark.__file__.startswith({str(tmp_path)!r})\n"
        "sys.exit(main(['generate', '--engine', 'mock', '--n', '4', '--progress', 'none', '-o', 'run']))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "4 samples" in done.stdout
