"""Pushing with the real client when all goes well: one commit, sent once, stale files gone, nothing else touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from culturepark.errors import ConfigError, DataError, EndpointError
from culturepark.hub.files import LocalFile
from tests.hub.pushing import assert_one_good_commit, contents, make_files, push
from tests.hub.repos import Blob, Fault
from tests.hub.standin import HubStandin


def test_a_push_makes_a_private_repository_with_one_commit_and_a_tag(hub: HubStandin) -> None:
    files, said = make_files(), list[str]()
    pushed = push(files, said)
    assert_one_good_commit(hub, files)
    assert hub.repos["org/name"].private and pushed.private and pushed.made
    assert pushed.commit == hub.pushes()[0].oid and pushed.files == 6
    assert pushed.bytes == sum(map(len, contents(files).values()))
    assert pushed.url == f"{hub.url}/datasets/org/name"
    assert hub.calls["commit"] == hub.calls["create"] == 1
    assert all(blob.lfs for path, blob in hub.pushes()[0].tree.items() if path.endswith(".parquet"))


def test_public_makes_a_public_repository(hub: HubStandin) -> None:
    assert not push(make_files(), public=True).private
    assert not hub.repos["org/name"].private


@pytest.mark.parametrize("private", [True, False])
def test_an_existing_repository_stays_as_visible_as_it_is_and_that_is_said(hub: HubStandin, private: bool) -> None:
    hub.make_repo(private=private)
    said: list[str] = []
    assert push(make_files(), said, public=private).private is private
    assert hub.repos["org/name"].private is private
    assert "stays private, although --public" in said[0] if private else "can be read by everybody" in said[0]
    assert hub.calls["create"] == 0


def test_the_same_files_again_make_no_commit(hub: HubStandin) -> None:
    files = make_files()
    first = push(files)
    again = push(make_files())
    assert_one_good_commit(hub, files)
    assert not again.made and again.commit == first.commit
    assert hub.calls["preupload"] == hub.calls["commit"] == 1


def test_the_tag_is_set_again_when_only_it_is_missing(hub: HubStandin) -> None:
    files = make_files()
    push(files)
    hub.repos["org/name"].tags.clear()
    assert not push(files).made
    assert_one_good_commit(hub, files)


def test_what_changed_goes_in_one_commit_with_stale_data_removed_and_all_else_left_alone(hub: HubStandin) -> None:
    old = {
        "data/messages/turkish/train-00000-of-00002.parquet": b"old",
        "data/sharegpt/arab/train.jsonl": b"{}",
        "data/sharegpt/dataset_info.json": b"{}",
        "data/rejected/rejected-00000-of-00001.parquet": b"old",
    }
    foreign = {"data/extra.csv": b"a,b", "notes/train-00000-of-00001.parquet": b"x", "CONTRIBUTING.md": b"hello"}
    files = make_files()
    push(files)
    repo = hub.repos["org/name"]
    head = repo.find("main")
    assert head is not None
    repo.commit("main", "by hand", {**head.tree, **{k: Blob(v, False) for k, v in {**old, **foreign}.items()}})
    changed = make_files("one more")
    pushed = push(changed)
    assert pushed.deleted == tuple(sorted(old))
    there = hub.files()
    there.pop(".gitattributes")
    assert there == {**contents(changed), **foreign}
    assert [c.title for c in hub.pushes()] == ["a push", "by hand", "a push"]
    assert repo.tags["run-1"] == pushed.commit
    sent = {hub_sha for hub_sha in hub.uploads}
    assert len(sent) == 8 and hub.calls["put"] == 8


def test_only_changed_files_are_sent(hub: HubStandin) -> None:
    files = make_files()
    push(files)
    files[0] = LocalFile("README.md", files[0].source + b"more\n")  # type: ignore[operator]
    before = hub.calls["put"]
    push(files)
    assert hub.calls["put"] == before
    assert hub.files()["README.md"].endswith(b"more\n")
    assert len(hub.pushes()) == 2


def test_large_files_go_up_in_parts(hub: HubStandin) -> None:
    hub.part_size = 300
    files = make_files()
    push(files)
    assert_one_good_commit(hub, files)
    assert hub.calls["complete"] == 4 and hub.calls["put"] > 8


def test_another_branch_is_made_and_main_left_alone(hub: HubStandin) -> None:
    files = make_files()
    push(files, branch="wave-2")
    assert len(hub.pushes()) == 1
    assert set(hub.files()) == {".gitattributes"}
    assert contents(files).items() <= hub.files(revision="wave-2").items()
    again = push(files, branch="wave-2")
    assert not again.made and len(hub.pushes()) == 1


def test_a_tag_of_ones_own_is_never_moved(hub: HubStandin) -> None:
    push(make_files(), tag="v1", may_move=False)
    taken = dict(hub.repos["org/name"].tags)
    with pytest.raises(ConfigError, match="the tag 'v1' is taken"):
        push(make_files("new"), tag="v1", may_move=False)
    assert len(hub.pushes()) == 1 and hub.repos["org/name"].tags == taken
    assert not push(make_files(), tag="v1", may_move=False).made  # the same content is no other version


def test_a_gitignore_in_the_repository_does_not_pass_unseen(hub: HubStandin) -> None:
    repo = hub.make_repo()
    repo.commit("main", "by hand", {".gitignore": Blob(b"*.parquet\n", False)})
    with pytest.raises(EndpointError, match="holds other files than were sent; is there a .gitignore"):
        push(make_files())
    assert [c.title for c in hub.pushes()] == ["by hand", "a push"]


def test_a_card_the_hub_does_not_accept_is_a_line_about_the_card(hub: HubStandin) -> None:
    files = make_files()
    files[0] = LocalFile("README.md", b"---\nbad_metadata: 1\n---\n")
    with pytest.raises(DataError, match="does not accept the card: .*license"):
        push(files)
    assert hub.pushes() == []


def test_somebody_elses_commit_in_between_is_built_upon(hub: HubStandin) -> None:
    """The branch moves after it was looked at: 412, then the push is made on top of what is there."""
    files = make_files()
    push(files)
    changed = make_files("one more")
    repo = hub.repos["org/name"]

    def interfere() -> None:
        head = repo.find("main")
        assert head is not None
        repo.commit("main", "theirs", {**head.tree, "theirs.txt": Blob(b"t", False)})

    hub.before_commit = interfere
    pushed = push(changed)
    assert [c.title for c in hub.pushes()] == ["a push", "theirs", "a push"]
    assert hub.files()["theirs.txt"] == b"t"
    assert contents(changed).items() <= hub.files().items()
    assert repo.tags["run-1"] == pushed.commit == repo.branches["main"]


def test_many_files_are_listed_over_pages(hub: HubStandin) -> None:
    many = [LocalFile(f"data/openai/c{k:04d}/train.jsonl", b"{}\n%d" % k) for k in range(1300)]
    files = [*make_files(), *many]
    push(files)
    assert_one_good_commit(hub, files)
    assert not push(files).made


def test_the_session_of_the_library_is_put_back(hub: HubStandin, caplog: pytest.LogCaptureFixture) -> None:
    import logging

    from huggingface_hub import constants
    from huggingface_hub.utils import _http

    logger = logging.getLogger("huggingface_hub")
    before = (_http._GLOBAL_CLIENT_FACTORY, constants.HF_HUB_DISABLE_XET, logger.handlers[:], logger.level)
    hub.faults.append(Fault("preupload", status=503))
    push(make_files())
    assert (_http._GLOBAL_CLIENT_FACTORY, constants.HF_HUB_DISABLE_XET, logger.handlers[:], logger.level) == before
    assert not any("xet" in path for path in hub.seen_paths)


def test_a_file_that_vanishes_is_named(hub: HubStandin, tmp_path: Path) -> None:
    path = tmp_path / "gone.parquet"
    path.write_bytes(b"here")
    file = LocalFile("data/messages/arab/train-00000-of-00001.parquet", path)
    assert file.size == 4
    assert file.hashes
    path.unlink()
    with pytest.raises((DataError, EndpointError)) as caught:
        push([*make_files()[:2], file])
    assert "\n" not in str(caught.value) and hub.pushes() == []
