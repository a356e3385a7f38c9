"""The child process behind ``--engine local``: the embedded model as an OpenAI-compatible server.

Run as ``python -m culturepark.llm.local_server``. It listens on 127.0.0.1 only, writes its port to a
file when it is ready, and ends on SIGTERM or when its standard input closes.
"""

from __future__ import annotations

import argparse
import os
import threading
from pathlib import Path
from typing import Any

from culturepark.files import replace_file
from culturepark.llm.guard import die_with_parent


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="culturepark.llm.local_server", description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="the .gguf file")
    parser.add_argument("--alias", required=True, help="the model's name in requests and replies")
    parser.add_argument("--port-file", type=Path, required=True, help="where the port is written when ready")
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--slots", type=int, default=8, help="replies written at the same time")
    parser.add_argument("--ctx-per-slot", type=int, default=2048, help="tokens of prompt and reply together")
    parser.add_argument("--threads", type=int, default=0, help="0: one for each processor")
    return parser.parse_args(arguments)


def open_server(options: argparse.Namespace) -> Any:
    """Load the model and start answering; returns xllamacpp's server, which ends with the process."""
    import xllamacpp  # type: ignore[import-untyped, unused-ignore]

    threads = options.threads or os.cpu_count() or 1
    params = xllamacpp.CommonParams()
    params.model.path = str(options.model)
    params.model_alias = {options.alias}
    params.hostnames = ["127.0.0.1"]
    params.port = options.port
    params.n_parallel = options.slots
    params.n_ctx = options.slots * options.ctx_per_slot
    params.cpuparams.n_threads = threads
    params.cpuparams_batch.n_threads = threads
    # Two speakers' prompts outnumber the slots: kept here they need not be read again (2.2 x as fast).
    params.cache_ram_mib = 512
    params.endpoint_metrics = False
    params.endpoint_slots = False
    params.ui = False
    params.offline = True
    params.verbosity = 0
    return xllamacpp.Server(params)


def main(arguments: list[str] | None = None) -> None:
    """Serve until the parent is gone."""
    options = parse_arguments(arguments)
    # Workers that spin at barriers fall to one fiftieth of the speed when a core is shared.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    die_with_parent()
    server = open_server(options)
    replace_file(options.port_file, server.listening_address.rsplit(":", 1)[1])
    threading.Event().wait()


if __name__ == "__main__":
    main()
