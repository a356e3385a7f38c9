"""One dataset repository on the Hub, step by step, through ``huggingface_hub``; its errors become ``HubFault``.

No method tries twice on its own account, though the library does so for listing and uploading.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from culturepark.errors import ConfigError, CultureParkError, DataError
from culturepark.files import describe_fault
from culturepark.hub.faults import HubFault, read_kind
from culturepark.hub.files import Changes, LocalFile, RemoteFile
from culturepark.llm.faults import clean_message, read_retry_after, show_url

_KIND = "dataset"
_BAD_CARD = "Invalid metadata in README.md."


@dataclass(frozen=True)
class RepoState:
    """A repository as it is; ``head`` is empty where it has no commit yet, or not the branch asked for."""

    private: bool
    head: str


def find_token(given: str | None = None) -> str:
    """The token given, or that of ``HF_TOKEN`` or of the Hub's own login. Raises ``ConfigError`` when there is none."""
    from huggingface_hub import get_token

    try:
        token = given or get_token()
    except Exception as error:  # whatever a login of another kind (OIDC) may raise
        raise ConfigError(f"the Hub's login does not work ({clean_message(str(error))}); set HF_TOKEN") from None
    if not token:
        raise ConfigError("there is no token for the Hub; set HF_TOKEN, or log in with 'hf auth login'")
    if not token.isascii() or not token.isprintable() or " " in token:
        raise ConfigError("the token for the Hub holds characters that no token has; set HF_TOKEN again")
    return token


def check_repo_id(repo_id: str) -> None:
    """Raise ``ConfigError`` unless this can be the name of a repository, with its namespace."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils._validators import validate_repo_id

    try:
        validate_repo_id(repo_id)
        good = repo_id.count("/") == 1
    except HFValidationError:
        good = False
    if not good:
        shown = "".join(c for c in repo_id[:100] if c.isprintable())
        raise ConfigError(
            f"{shown!r} is no repository; write ORG/NAME (or USER/NAME) with letters, digits, '-', '_' and '.'"
        )


class HubClient:
    """The steps of a push to one dataset repository."""

    def __init__(self, repo_id: str, token: str) -> None:
        """``HF_ENDPOINT`` is read now, not when the library was imported."""
        from huggingface_hub import HfApi, constants

        self.repo_id = repo_id
        endpoint = (os.environ.get("HF_ENDPOINT") or constants.ENDPOINT).rstrip("/")
        self._secrets = (token, *re.findall(r"//(?:[^/@:]*):?([^/@]*)@", endpoint))
        self._api = HfApi(endpoint=endpoint, token=token, library_name="culturepark")
        self.url = f"{show_url(endpoint)}/datasets/{repo_id}"

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be shown."""
        return self._secrets

    def find_repo(self, branch: str) -> RepoState | None:
        """The repository and the commit a branch is at, or ``None`` when there is none that the token may see."""
        try:
            with self._translate():
                info = self._api.repo_info(self.repo_id, repo_type=_KIND)
        except HubFault as fault:
            if fault.kind == "missing":
                return None
            raise
        head = info.sha or ""
        return RepoState(bool(info.private), head if branch == "main" else self.find_commit(branch))

    def find_commit(self, revision: str) -> str:
        """The commit a branch or tag is at, or an empty string when there is none of that name."""
        try:
            with self._translate():
                return self._api.repo_info(self.repo_id, repo_type=_KIND, revision=revision).sha or ""
        except HubFault as fault:
            if fault.kind == "missing":
                return ""
            raise

    def create_repo(self, public: bool) -> None:
        """Make the repository. A fault ``exists`` says that somebody was faster."""
        with self._translate():
            self._api.create_repo(self.repo_id, repo_type=_KIND, private=not public)

    def create_branch(self, branch: str) -> None:
        """Make a branch from where ``main`` is; one that is there already is left alone."""
        with self._translate():
            self._api.create_branch(self.repo_id, branch=branch, repo_type=_KIND, exist_ok=True)

    def list_files(self, commit: str) -> dict[str, RemoteFile]:
        """All files at a commit; none where there is no commit."""
        if not commit:
            return {}
        from huggingface_hub.hf_api import RepoFile

        with self._translate():
            entries = list(self._api.list_repo_tree(self.repo_id, recursive=True, revision=commit, repo_type=_KIND))
        return {
            entry.path: RemoteFile(entry.size, entry.blob_id, entry.lfs.sha256 if entry.lfs else "")
            for entry in entries
            if isinstance(entry, RepoFile)
        }

    def prepare(self, changes: Changes) -> list[Any]:
        """Operations for ``upload`` and ``commit``; they remember what is uploaded, so use them again."""
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        with self._translate():
            deletes: list[Any] = [CommitOperationDelete(path, is_folder=False) for path in changes.delete]
            return deletes + [CommitOperationAdd(file.path, _name_source(file)) for file in changes.add]

    def upload(self, operations: Sequence[Any], branch: str) -> None:
        """Send the large files; those the Hub has already are not sent again."""
        additions = [operation for operation in operations if hasattr(operation, "path_or_fileobj")]
        if additions:
            with self._translate(upload=True):
                self._api.preupload_lfs_files(
                    self.repo_id, additions, repo_type=_KIND, revision=branch, free_memory=False
                )

    def commit(self, operations: Sequence[Any], branch: str, parent: str, message: str) -> str:
        """Make the commit; returns it. After a fault it may have been made all the same."""
        with self._translate():
            made = self._api.create_commit(
                self.repo_id,
                operations,
                commit_message=message,
                repo_type=_KIND,
                revision=branch,
                parent_commit=parent or None,
            )
            return str(made.oid)

    def create_tag(self, tag: str, commit: str) -> None:
        """Name a commit. A fault ``exists`` says that the name is taken."""
        with self._translate():
            self._api.create_tag(self.repo_id, tag=tag, revision=commit, repo_type=_KIND)

    def delete_tag(self, tag: str) -> None:
        """Take a name away; none of that name is fine too."""
        try:
            with self._translate():
                self._api.delete_tag(self.repo_id, tag=tag, repo_type=_KIND)
        except HubFault as fault:
            if fault.kind != "missing":
                raise

    @contextmanager
    def _translate(self, upload: bool = False) -> Iterator[None]:
        try:
            yield
        except CultureParkError:
            raise
        except Exception as error:  # the library raises its own, the HTTP library's, ValueError, KeyError, ...
            raise self._read_error(error, upload) from None

    def _read_error(self, error: BaseException, upload: bool) -> Exception:
        from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

        broken = HfHubHTTPError.__bases__[0]  # the HTTP library's own base error, whichever it is
        chain = list(_walk_causes(error))
        first = chain[0]
        if str(first).startswith(_BAD_CARD):
            return DataError(f"the Hub does not accept the card: {self._clean(str(first)[len(_BAD_CARD) :])}")
        for link in chain:
            if isinstance(link, HfHubHTTPError):
                return self._read_answer(link, upload)
        for link in chain:
            if isinstance(link, OfflineModeIsEnabled):
                return ConfigError("HF_HUB_OFFLINE is set, so nothing can be pushed; unset it")
            if isinstance(link, broken):
                if "UnsupportedProtocol" in type(link).__name__:
                    return ConfigError("HF_ENDPOINT is not a URL the Hub could be at; mend or unset it")
                return HubFault("busy", self._clean(f"{type(link).__name__} {link}".strip()))
        if type(first).__name__ == "InvalidURL":
            return ConfigError("HF_ENDPOINT is not a URL the Hub could be at; mend or unset it")
        for link in chain:
            if isinstance(link, OSError):
                return DataError(f"{link.filename or 'a file to push'}: {describe_fault(link)}")
        return HubFault("busy", self._clean(f"an answer that makes no sense ({type(first).__name__})"))

    def _read_answer(self, error: Any, upload: bool) -> HubFault:
        status = int(error.response.status_code)
        said = self._clean(str(error.server_message or ""))
        kind = read_kind(status)
        if upload and kind in ("auth", "forbidden") and error.response.request.method == "PUT":
            kind = "busy"  # a signed storage address that has run out: the next try gets a fresh one
        message = f"{status}: {said}" if said else str(status)
        return HubFault(kind, message, status, read_retry_after(error.response.headers))

    def _clean(self, text: str) -> str:
        return clean_message(re.sub(r"https?://\S+", "(URL)", text), self._secrets)


def _name_source(file: LocalFile) -> str | bytes:
    return file.source if isinstance(file.source, bytes) else str(file.source)


def _walk_causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__
