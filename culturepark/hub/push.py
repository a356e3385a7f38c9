"""Push files to the Hub: one commit with data, card and export record, whatever goes wrong on the way.

Before a commit is tried again the repository is looked at, and each try names the commit it builds on, so that one
whose answer was lost is never made twice. What the repository holds already is not sent again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from culturepark.errors import ConfigError, EndpointError
from culturepark.hub.client import HubClient, RepoState
from culturepark.hub.faults import HubFault, error_for
from culturepark.hub.files import Changes, LocalFile, RemoteFile, find_changes, show_size
from culturepark.hub.patience import TRIES, TRIES_ON_TOP, Patience
from culturepark.hub.session import hold_session

T = TypeVar("T")
Say = Callable[[str], None]
Tree = dict[str, RemoteFile]


@dataclass(frozen=True)
class Pushed:
    """What a push did. ``made`` is false when the repository held all of it already; ``commit`` is where it lies."""

    repo_id: str
    url: str
    commit: str
    made: bool
    private: bool
    tag: str
    files: int
    bytes: int
    deleted: tuple[str, ...] = ()


class Pusher:
    """One push of a list of files to one branch of one repository."""

    def __init__(self, client: HubClient, branch: str, say: Say, pause: Callable[[float], None] = time.sleep) -> None:
        self._client, self._branch, self._say, self._pause = client, branch, say, pause
        self._doing = "while asking about the repository"

    def push(self, files: Sequence[LocalFile], public: bool, message: str, tag: str, may_move: bool) -> Pushed:
        """Do it. ``may_move``: a tag of that name at another commit is moved, not respected.

        Raises ``ConfigError``, ``DataError`` or ``EndpointError`` in one line.
        """
        client = self._client
        try:
            with hold_session(self._say, client.secrets):
                repo = self._find_or_create(public)
                remote = self._list(repo.head)
                if not may_move:
                    taken = self._persist(lambda: client.find_commit(tag))
                    if taken and (taken != repo.head or find_changes(files, remote)):
                        raise ConfigError(f"{client.repo_id}: the tag {tag!r} is taken; choose another --tag")
                commit, changes = self._bring(files, repo.head, remote, message)
                self._set_tag(tag, commit)
        except HubFault as fault:
            raise error_for(fault, client.repo_id, self._doing) from None
        total = sum(file.size for file in files)
        made = bool(changes)
        return Pushed(client.repo_id, client.url, commit, made, repo.private, tag, len(files), total, changes.delete)

    def _persist(self, step: Callable[[], T], most: int = TRIES) -> T:
        return Patience(self._say, self._pause, most).persist(step)

    def _list(self, commit: str) -> Tree:
        return self._persist(lambda: self._client.list_files(commit), TRIES_ON_TOP)

    def _find_or_create(self, public: bool) -> RepoState:
        """The repository, made where there is none; one that exists stays as visible as it is."""
        client, asked, made = self._client, False, False
        patience = Patience(self._say, self._pause)
        while True:
            try:
                repo = client.find_repo(self._branch)
                if repo is None:
                    if made:
                        raise HubFault("busy", "it was made and is not to be seen")
                    asked, self._doing = True, "while making the repository"
                    client.create_repo(public)
                    made = True
                elif not repo.head and self._branch != "main":
                    self._doing = f"while making the branch {self._branch}"
                    client.create_branch(self._branch)
                    repo = client.find_repo(self._branch)
                    break
                else:
                    break
            except HubFault as fault:
                # "exists": made by a try whose answer was lost, or by somebody else just now. Look again.
                made = made or fault.kind == "exists"
                patience.bear(_as_busy(fault) if fault.kind == "exists" else fault)
        if repo is None:
            raise HubFault("missing", "")
        if not asked:
            self._say(_describe_found(client.repo_id, repo.private, public))
        elif not public and not repo.private:
            self._say(f"{client.repo_id} was to be private, but the Hub says it is public: look at its settings.")
        return repo

    def _bring(self, files: Sequence[LocalFile], head: str, remote: Tree, message: str) -> tuple[str, Changes]:
        """Bring the branch to hold the files, in one commit; none where it does. Returns the commit and what it did."""
        client, done = self._client, Changes((), ())
        for _ in range(TRIES):
            changes = find_changes(files, remote)
            if not changes:
                return head, done
            size = show_size(sum(file.size for file in changes.add))
            gone = f"; {len(changes.delete)} of an earlier push go" if changes.delete else ""
            self._say(f"Sending {len(changes.add)} of {len(files)} files, {size}{gone}.")
            self._doing = "while sending files"
            operations = client.prepare(changes)
            self._persist(lambda: client.upload(operations, self._branch), TRIES_ON_TOP)  # noqa: B023 (called at once)
            self._doing, done = "while making the commit", changes
            commit, head, remote = self._commit(operations, head, message)
            if commit:
                if find_changes(files, remote):
                    raise EndpointError(
                        f"{client.repo_id}: the commit {commit[:12]} holds other files than were sent; "
                        "is there a .gitignore in the repository?"
                    )
                return commit, changes
        raise HubFault("moved", "")

    def _commit(self, operations: Sequence[object], parent: str, message: str) -> tuple[str, str, Tree]:
        """The commit made, if any, then the branch's commit and its files.

        None is made when the branch turned out to have moved: by a try whose answer was lost, or by somebody else.
        """
        client, patience = self._client, Patience(self._say, self._pause)
        while True:
            given_up: HubFault | None = None
            try:
                commit = client.commit(operations, self._branch, parent, message)
            except HubFault as fault:
                if fault.kind not in ("busy", "moved", "exists"):
                    raise
                try:
                    patience.bear(_as_busy(fault))
                except HubFault as last:
                    given_up = last
            else:
                return commit, commit, self._list(commit)
            repo = self._persist(lambda: client.find_repo(self._branch))
            if repo is not None and repo.head != parent:
                return "", repo.head, self._list(repo.head)
            if given_up is not None:
                raise given_up

    def _set_tag(self, tag: str, commit: str) -> None:
        """Name the commit; a tag that stands elsewhere is moved."""
        patience = Patience(self._say, self._pause)
        self._doing = f"while setting the tag {tag}, after the commit"
        while True:
            try:
                if self._try_tag(tag, commit):
                    return
            except HubFault as fault:
                patience.bear(fault)

    def _try_tag(self, tag: str, commit: str) -> bool:
        """Whether the tag stands; if not, it stood elsewhere and was taken away."""
        client = self._client
        try:
            client.create_tag(tag, commit)
        except HubFault as fault:
            if fault.kind != "exists":
                raise
            found = client.find_commit(tag)
            if found != commit:
                self._say(f"Moving the tag {tag} from {found[:12]}.")
                client.delete_tag(tag)
                return False
        return True


def _as_busy(fault: HubFault) -> HubFault:
    return HubFault("busy", fault.message, fault.status, fault.retry_after)


def _describe_found(repo_id: str, private: bool, public: bool) -> str:
    stays = f"{repo_id} exists and stays {'private' if private else 'public'}"
    if private and public:
        return f"{stays}, although --public was given; change that on the Hub."
    return f"{stays}." if private else f"{stays}: all that is pushed can be read by everybody."
