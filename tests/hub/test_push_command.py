"""``culturepark push`` and ``generate --push-to-hub``: what is refused, and what is said in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from culturepark.errors import ConfigError, DataError
from culturepark.hub.publish import push_run
from tests.hub.pushing import LICENCE, Capture, call, pushed_files
from tests.hub.repos import Fault
from tests.hub.standin import TOKEN, HubStandin

MOCK = ["--cultures", "arab,korean", "--engine", "mock", "--encoder", "none", "--progress", "none"]


@pytest.mark.parametrize(
    ("name", "flags", "said"),
    [
        ("name", (), "is no repository; write ORG/NAME"),
        ("org/na me", (), "is no repository"),
        ("datasets/org/name", (), "is no repository"),
        ("org/../etc", (), "is no repository"),
        ("org/name", ("--tag", "a..b"), "--tag: 'a..b' is no name"),
        ("org/name", ("--revision", "-x/y"), "--revision"),
    ],
)
def test_names_that_can_be_none_are_told_before_anything_is_asked(
    hub: HubStandin, ready: Path, capsys: Capture, name: str, flags: tuple[str, ...], said: str
) -> None:
    arguments = [f"{flag}={value}" for flag, value in zip(flags[::2], flags[1::2], strict=True)]
    code, _, err = call(capsys, "push", str(ready), "--repo-id", name, *arguments, *LICENCE)
    assert code == 2 and said in err and err.count("\n") == 1
    assert not hub.calls


def test_no_token_and_a_token_that_is_none(
    hub: HubStandin, ready: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    code, _, err = call(capsys, "push", str(ready), "--repo-id", "org/name", *LICENCE)
    assert code == 2 and "there is no token for the Hub; set HF_TOKEN" in err and err.count("\n") == 1
    with pytest.raises(ConfigError, match="characters that no token has"):
        push_run(ready, "org/name", license="cc-by-nc-4.0", token="hf_päss wort")
    assert not hub.calls


def test_the_hubs_own_login_is_used(
    hub: HubStandin, ready: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.delenv("HF_TOKEN")
    stored = tmp_path / "token"
    stored.write_text(TOKEN)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(stored))
    assert push_run(ready, "org/name", license="cc-by-nc-4.0")


def test_the_token_is_in_no_file(hub: HubStandin, ready: Path) -> None:
    push_run(ready, "org/name", license="cc-by-nc-4.0")
    assert not [p for p in ready.rglob("*") if p.is_file() and TOKEN.encode() in p.read_bytes()]
    assert not [path for path, content in hub.files().items() if TOKEN.encode() in content]


def test_refusals_of_the_hub_end_the_command_with_4(hub: HubStandin, ready: Path, capsys: Capture) -> None:
    for status in (401, 403, 404):
        hub.faults.append(Fault("preupload", status=status))
        code, _, err = call(capsys, "push", str(ready), "--repo-id", "org/name", *LICENCE)
        assert code == 4 and str(status) in err and err.count("\n") == 1


def test_a_damaged_export_is_not_pushed(hub: HubStandin, ready: Path) -> None:
    path = ready / "data/messages/arab/train-00000-of-00001.parquet"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match="export again"):
        push_run(ready, "org/name", license="cc-by-nc-4.0")
    path.unlink()
    with pytest.raises(DataError, match="is missing; export again"):
        push_run(ready, "org/name", license="cc-by-nc-4.0")
    assert not hub.pushes("org/name") if hub.repos else True


def test_no_run_is_one_line(hub: HubStandin, tmp_path: Path, capsys: Capture) -> None:
    code, _, err = call(capsys, "push", str(tmp_path / "none"), "--repo-id", "org/name")
    assert code == 3 and err.count("\n") == 1


def test_generate_pushes_when_it_is_done(hub: HubStandin, tmp_path: Path, capsys: Capture) -> None:
    run = str(tmp_path / "made")
    code, out, err = call(capsys, "generate", *MOCK, "-n", "12", "-o", run, "--push-to-hub", "org/name", *LICENCE)
    assert code == 0, err
    assert "12 samples in" in out and "Pushed" in out
    assert pushed_files(Path(run)).items() <= hub.files().items()


def test_generate_checks_all_it_can_before_the_run(
    hub: HubStandin, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "made"
    plain = ("generate", *MOCK, "-n", "12", "-o", str(run), "--push-to-hub")
    assert "add --license before the run" in call(capsys, *plain, "org/name")[2]
    assert "is no repository" in call(capsys, *plain, "name", *LICENCE)[2]
    monkeypatch.delenv("HF_TOKEN")
    assert "there is no token" in call(capsys, *plain, "org/name", *LICENCE)[2]
    assert not run.exists() and not hub.calls


def test_a_push_that_fails_after_generate_names_the_command_that_goes_on(
    hub: HubStandin, tmp_path: Path, capsys: Capture
) -> None:
    hub.faults.append(Fault("preupload", status=403))
    run = tmp_path / "made"
    arguments = ("generate", *MOCK, "-n", "6", "-o", str(run), "--push-to-hub", "org/name", *LICENCE)
    code, out, err = call(capsys, *arguments)
    assert code == 4 and f"culturepark push {run} --repo-id org/name" in err and "6 samples" in out
    assert call(capsys, "push", str(run), "--repo-id", "org/name")[0] == 0
    assert len(hub.pushes()) == 1
