"""Whatever the Hub or the line does, one good commit or one clear line; what is there is what was sent."""

from __future__ import annotations

from typing import Any

import pytest

from culturepark.errors import ConfigError, CultureParkError, EndpointError
from culturepark.hub.patience import TRIES, TRIES_ON_TOP
from tests.hub.pushing import assert_one_good_commit, contents, make_files, push
from tests.hub.repos import Fault
from tests.hub.standin import TOKEN, HubStandin

# Every request of a first push, in its order.
STEPS = ("info", "create", "tree", "preupload", "batch", "put", "verify", "validate-yaml", "commit", "tag")
TRANSIENT: dict[str, dict[str, Any]] = {
    "500": {"status": 500},
    "503": {"status": 503},
    "429": {"status": 429, "headers": {"Retry-After": "7"}},
    "cut before": {"cut": "before"},
    "cut after": {"cut": "after"},
}
GARBAGE = {"status": 200, "body": "<html>it works!</html>"}


@pytest.mark.parametrize("fault", TRANSIENT)
@pytest.mark.parametrize("step", STEPS)
def test_one_good_commit_whatever_step_fails_once(hub: HubStandin, step: str, fault: str) -> None:
    hub.faults.append(Fault(step, **TRANSIENT[fault]))
    files, said = make_files(), list[str]()
    assert push(files, said).made
    assert_one_good_commit(hub, files)
    assert hub.faults[0].times <= 0, "the fault never happened"
    assert said and TOKEN not in "".join(said)
    if fault == "429":
        assert [w for w in [*hub.waits, *(float(s[5:]) for s in said if s.startswith("wait"))] if w >= 7]


@pytest.mark.parametrize("fault", ["503", "cut after"])
@pytest.mark.parametrize("step", ["info", "tree", "revision", "commit", "tag", "untag"])
def test_one_more_commit_whatever_step_of_a_second_push_fails_twice(hub: HubStandin, step: str, fault: str) -> None:
    push(make_files())
    hub.faults.append(Fault(step, times=2, **TRANSIENT[fault]))
    changed = make_files("one more")
    pushed = push(changed)
    assert len(hub.pushes()) == 2
    assert contents(changed).items() <= hub.files().items()
    assert hub.repos["org/name"].tags == {"run-1": pushed.commit}
    assert pushed.commit == hub.pushes()[1].oid


@pytest.mark.parametrize("step", ["info", "create", "preupload", "batch", "validate-yaml", "commit"])
def test_an_answer_that_is_none_is_asked_again(hub: HubStandin, step: str) -> None:
    hub.faults.append(Fault(step, **GARBAGE))
    files = make_files()
    push(files)
    assert_one_good_commit(hub, files)


@pytest.mark.parametrize("cut", ["after", "late"])
def test_a_commit_whose_answer_is_lost_is_not_made_twice(hub: HubStandin, cut: str) -> None:
    hub.faults.append(Fault("commit", cut=cut, times=3))
    files = make_files()
    pushed = push(files)
    assert_one_good_commit(hub, files)
    assert pushed.made


def test_a_commit_that_lands_with_the_last_try_is_seen(hub: HubStandin) -> None:
    hub.faults += [Fault("commit", status=503, times=TRIES - 1), Fault("commit", cut="after")]
    files = make_files()
    assert push(files).made
    assert_one_good_commit(hub, files)


def test_a_gateway_that_gives_up_while_the_commit_is_made(hub: HubStandin) -> None:
    """504, then 412: the branch has moved by the very commit that seemed lost."""
    hub.faults.append(Fault("commit", cut="late", status=504))
    hub.faults.append(Fault("info", status=0, cut="before", skip=1, times=1))
    files = make_files()
    push(files)
    assert_one_good_commit(hub, files)


@pytest.mark.parametrize("status", [412, 409])
def test_a_conflict_without_a_reason_is_looked_into(hub: HubStandin, status: int) -> None:
    hub.faults.append(Fault("commit", status=status))
    files = make_files()
    push(files)
    assert_one_good_commit(hub, files)


def test_a_repository_that_appears_while_it_is_made(hub: HubStandin) -> None:
    """The first look says there is none, making it says there is one."""
    hub.make_repo(private=True)
    hub.faults.append(Fault("info", status=404))
    files = make_files()
    push(files)
    assert_one_good_commit(hub, files)


def test_a_repository_that_is_made_and_never_seen(hub: HubStandin) -> None:
    hub.faults.append(Fault("info", status=404, times=10_000))
    with pytest.raises(EndpointError, match="made and is not to be seen"):
        push(make_files())
    assert hub.calls["create"] == 1 and hub.calls["info"] == TRIES + 1


def test_a_signed_address_that_has_run_out_is_asked_for_again(hub: HubStandin) -> None:
    hub.faults.append(Fault("put", status=403))
    files = make_files()
    push(files)
    assert_one_good_commit(hub, files)
    assert hub.calls["batch"] == 2
    assert hub.calls["put"] == 5, "what had come in was sent again"


REFUSING = [s for s in STEPS if s not in ("put", "verify", "tree")]


@pytest.mark.parametrize(
    ("step", "status"),
    [(s, c) for s in REFUSING for c in (401, 403, 404) if (s, c) != ("info", 404)],  # that repository is made
)
def test_a_refusal_is_one_line_and_the_next_push_goes_on(hub: HubStandin, step: str, status: int) -> None:
    hub.faults.append(Fault(step, status=status, times=2))
    files = make_files()
    with pytest.raises(EndpointError) as caught:
        push(files)
    line = str(caught.value)
    assert str(status) in line and "\n" not in line and TOKEN not in line and "http" not in line
    wanted = {401: "refuses the token", 403: "may not write to org/name", 404: "org/name is not on the Hub"}
    assert wanted[status] in line
    assert caught.value.exit_code == 4
    if step != "tag":
        assert not hub.repos or hub.pushes() == []
    hub.faults.clear()
    push(files)
    assert_one_good_commit(hub, files)


def test_a_wrong_token_and_a_foreign_namespace_are_told_apart(hub: HubStandin) -> None:
    with pytest.raises(EndpointError, match="refuses the token"):
        push(make_files(), token="hf_wrongTokenWrongTokenWrong")
    with pytest.raises(EndpointError, match="may not write to google/name"):
        push(make_files(), repo_id="google/name")
    hub.make_repo("org/theirs")
    hub.readable_only.add("org/theirs")
    with pytest.raises(EndpointError, match="may not write to org/theirs"):
        push(make_files(), repo_id="org/theirs")
    assert hub.pushes("org/theirs") == []


@pytest.mark.parametrize("step", [s for s in STEPS if s != "verify"])  # a file that came in is not verified again
def test_trouble_that_stays_ends_in_one_line_after_bounded_tries(hub: HubStandin, step: str) -> None:
    hub.faults.append(Fault(step, status=500, times=10_000))
    said: list[str] = []
    with pytest.raises(EndpointError) as caught:
        push(make_files(), said)
    line = str(caught.value)
    assert "500" in line and "run the same command again" in line and "\n" not in line
    assert hub.calls[step] <= 6 * TRIES_ON_TOP * (4 if step == "put" else 1)
    assert hub.repos.get("org/name") is None or len(hub.pushes()) == (step == "tag")
    hub.faults.clear()
    files = make_files()
    push(files)
    assert_one_good_commit(hub, files)


def test_after_a_failed_upload_only_the_rest_is_sent(hub: HubStandin) -> None:
    files = make_files()
    hub.faults.append(Fault("put", status=500, times=10_000, skip=2))
    with pytest.raises(EndpointError, match="while sending files"):
        push(files)
    come = dict(hub.stored)
    assert 0 < len(come) < 4
    hub.faults.clear()
    before = dict(hub.uploads)
    push(files)
    assert_one_good_commit(hub, files)
    assert all(hub.uploads[oid] == before[oid] for oid in come)


def test_nothing_of_a_server_answer_with_a_token_in_it_is_shown(hub: HubStandin) -> None:
    body = f'{{"error": "no such token: {TOKEN}, password=hunter2hunter2"}}'
    hub.faults.append(Fault("preupload", status=403, body=body))
    said: list[str] = []
    with pytest.raises(EndpointError) as caught:
        push(make_files(), said)
    shown = str(caught.value) + "".join(said)
    assert TOKEN not in shown and "hunter2" not in shown
    assert TOKEN not in repr(caught.value.__cause__) and caught.value.__cause__ is None


def test_a_hub_that_is_not_there(hub: HubStandin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://user:secretsecret@127.0.0.1:9")
    said: list[str] = []
    with pytest.raises(EndpointError, match="does not answer as it should") as caught:
        push(make_files(), said)
    assert "secretsecret" not in str(caught.value) + "".join(said)


@pytest.mark.parametrize("url", ["ftp://x", "nonsense", "http://[::1", "http://"])
def test_an_endpoint_that_is_none(hub: HubStandin, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("HF_ENDPOINT", url)
    with pytest.raises(CultureParkError) as caught:
        push(make_files())
    assert "\n" not in str(caught.value)


def test_offline_mode_is_told(hub: HubStandin, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ConfigError, match="HF_HUB_OFFLINE is set"):
        push(make_files())
    assert not hub.calls
