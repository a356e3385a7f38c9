"""The hook ``openai``: uploads the samples, starts a fine-tuning job and follows it, through the openai SDK.

Each step is written down before the next, and what a lost answer left on the server is found again, so a restart
neither uploads twice nor pays for a second job. The door to the SDK in this room.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from culturepark.errors import ConfigError, DataError, EndpointError
from culturepark.files import replace_file
from culturepark.llm.faults import clean_message
from culturepark.runs.folder import Run
from culturepark.training.handover import write_rows
from culturepark.training.hooks import Say, TrainResult
from culturepark.training.rows import read_rows
from culturepark.training.settings import TrainSettings
from culturepark.training.trl_hook import place_result

STATE = "openai.json"
FEWEST = 10  # rows that the service asks for
_ENDS = ("succeeded", "failed", "cancelled")
_LOOK_BACK = 100  # jobs and files looked through for one whose answer was lost


class OpenAiHook:
    """Fine-tunes at OpenAI or a server that speaks like it."""

    def __init__(self, settings: TrainSettings, say: Say) -> None:
        """Find the key. Raises ``ConfigError`` where it is missing or something is asked for that cannot be done."""
        if settings.wants_dpo:
            raise ConfigError("--hook openai learns from samples only; leave --method out")
        self._key = os.environ.get(settings.api_key_env, "")
        if not self._key:
            raise ConfigError(f"--hook openai needs a key in the environment variable {settings.api_key_env}")
        self._settings, self._say = settings, say

    def on_dataset(self, run: Run, culture: str | None) -> TrainResult:
        """Upload, start and follow. Raises ``EndpointError`` when the server cannot be used, to be resumed."""
        import openai

        folder, label = place_result(self._settings, culture), culture or "all"
        files = self._write_files(run, culture, folder)
        identity = hash_files(files, self._settings)
        state = read_state(folder / STATE, identity)
        client = openai.OpenAI(api_key=self._key, base_url=self._settings.base_url or None, max_retries=4)
        with client, self._explaining(folder):
            for split, path in files.items():
                if split not in state["files"]:
                    state["files"][split] = self._upload(client, path, f"culturepark-{identity}-{split}.jsonl")
                    self._keep(folder, state)
                    self._say(f"{label}: {split} is uploaded as {state['files'][split]}")
            if not state["job"]:
                state["job"] = self._find_job(client, state["files"]["train"]) or self._start(client, state["files"])
                self._keep(folder, state)
                self._say(f"{label}: job {state['job']}; stop at will, the same command follows it again")
            job = self._follow(client, state["job"], label)
        state |= {"status": job.status, "model": job.fine_tuned_model, "trained_tokens": job.trained_tokens}
        self._keep(folder, state)
        if job.status != "succeeded":
            why = _first_line(job.error.message) if job.error and job.error.message else "the server gave no reason"
            raise EndpointError(
                f"{label}: job {job.id} ended as {job.status}: {self._mask(why)}; --restart begins anew"
            )
        self._say(f"{label}: done, the model is {job.fine_tuned_model}")
        return TrainResult(culture, folder, dict(state))

    def _write_files(self, run: Run, culture: str | None, folder: Path) -> dict[str, Path]:
        rows = read_rows(run, culture, self._settings, self._say).chats
        if len(rows["train"]) < FEWEST:
            raise DataError(f"{run.path}: {len(rows['train'])} samples to train on; the service asks for {FEWEST}")
        if self._settings.restart:
            (folder / STATE).unlink(missing_ok=True)
        files: dict[str, Path] = {}
        for split in ("train", "validation"):
            if split in rows:
                files[split] = folder / "data" / f"{split}.jsonl"
                write_rows(files[split], ({"messages": row["messages"]} for row in rows[split]))
        return files

    def _upload(self, client: Any, path: Path, name: str) -> str:
        for number, known in enumerate(client.files.list(purpose="fine-tune", limit=_LOOK_BACK)):
            if known.filename == name and known.bytes == path.stat().st_size and known.status != "error":
                return str(known.id)
            if number >= _LOOK_BACK:
                break
        with path.open("rb") as file:
            return str(client.files.create(file=(name, file), purpose="fine-tune").id)

    def _find_job(self, client: Any, train: str) -> str:
        """A job on the same file that was started when its answer was lost."""
        if self._settings.restart:
            return ""
        for number, job in enumerate(client.fine_tuning.jobs.list(limit=_LOOK_BACK)):
            if job.training_file == train and job.status not in ("failed", "cancelled"):
                return str(job.id)
            if number >= _LOOK_BACK:
                break
        return ""

    def _start(self, client: Any, files: Mapping[str, str]) -> str:
        settings = self._settings
        more: dict[str, Any] = {"validation_file": files["validation"]} if "validation" in files else {}
        if settings.suffix:
            more["suffix"] = settings.suffix
        given = settings.model_fields_set
        wished = {"n_epochs": max(1, round(settings.epochs))} if "epochs" in given else {}
        wished |= {"batch_size": settings.batch_size} if "batch_size" in given else {}
        supervised = {"hyperparameters": wished} if wished else {}
        # One try: a second could start and bill a second job. A lost answer is found by _find_job.
        job = client.with_options(max_retries=0).fine_tuning.jobs.create(
            model=settings.base_model,
            training_file=files["train"],
            seed=settings.seed,
            method={"type": "supervised", "supervised": supervised},
            **more,
        )
        return str(job.id)

    def _follow(self, client: Any, job_id: str, label: str) -> Any:
        """Look at the job until it has ended, and tell its events as they come."""
        told: set[str] = set()
        while True:
            job = client.fine_tuning.jobs.retrieve(job_id)
            page = client.fine_tuning.jobs.list_events(job_id, limit=50)
            for event in sorted((e for e in page.data if e.id not in told), key=lambda e: e.created_at):
                told.add(event.id)
                self._say(f"{label}: {self._mask(_first_line(event.message))}")
            if job.status in _ENDS:
                return job
            time.sleep(self._settings.poll_s)

    def _keep(self, folder: Path, state: Mapping[str, Any]) -> None:
        replace_file(folder / STATE, json.dumps(state, indent=1) + "\n", durable=True)

    def _mask(self, text: str) -> str:
        return clean_message(text, [self._key])

    @contextmanager
    def _explaining(self, folder: Path) -> Iterator[None]:
        import openai

        variable, again = self._settings.api_key_env, "the same command goes on from here"
        try:
            yield
        except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
            raise EndpointError(f"the server refuses the key in {variable} (HTTP {error.status_code})") from error
        except openai.NotFoundError as error:
            raise EndpointError(
                f"the server does not know the model, file or job any more ({self._mask(_first_line(error.message))}); "
                f"look at {folder / STATE}, or begin anew with --restart"
            ) from error
        except openai.APIStatusError as error:
            said = self._mask(_first_line(error.message))
            raise EndpointError(f"the server says HTTP {error.status_code}: {said}; {again}") from error
        except openai.APIConnectionError as error:
            raise EndpointError(f"the server cannot be reached ({type(error).__name__}); {again}") from error


def _first_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[0][:200]


def hash_files(files: Mapping[str, Path], settings: TrainSettings) -> str:
    """What a job is the job of: base model, seed and the files' contents."""
    digest = hashlib.sha256(f"{settings.base_model}/{settings.seed}/{settings.epochs}/{settings.batch_size}".encode())
    for split, path in sorted(files.items()):
        digest.update(f"/{split}/".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def read_state(path: Path, identity: str) -> dict[str, Any]:
    """What was done already; a fresh state where nothing was. Raises ``ConfigError`` for another training's state."""
    fresh: dict[str, Any] = {"identity": identity, "files": {}, "job": ""}
    try:
        state = json.loads(path.read_bytes())
    except FileNotFoundError:
        return fresh
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read; --restart begins anew") from error
    if not isinstance(state, dict) or state.get("identity") != identity:
        raise ConfigError(
            f"{path.parent}: holds a job with other settings or data; give another -o, or --restart to begin anew"
        )
    return {**fresh, **state}
