"""``doctor``: is the model server fit for the work, and what is installed?"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os

from culturepark.cli.browse import add_row, make_table
from culturepark.cli.conversation import console
from culturepark.cli.flags import given_flags
from culturepark.config import build_config
from culturepark.errors import CallError, EndpointError
from culturepark.llm.http import HttpClient
from culturepark.llm.probe import Probe, probe_endpoint
from culturepark.llm.servers import embedded_missing
from culturepark.runs.engines import OPENAI_URL
from culturepark.runs.manifest import find_versions


def run_doctor(options: argparse.Namespace) -> int:
    """Check the endpoint (if one is named or a key is set), the embedded model and versions."""
    config = build_config(given_flags(options), options.config)
    out = console()
    table = make_table("installed", "what", "state")
    missing = embedded_missing()
    add_row(table, "embedded model (--engine local)", missing or "ready")
    key = os.environ.get(config.api_key_env)
    add_row(table, f"API key in {config.api_key_env}", "set" if key else "not set")
    for package, number in find_versions().items():
        add_row(table, package, number)
    out.print(table)
    if not (config.base_url or key or config.engine == "openai"):
        print("No server named; give --base-url to check one.")
        return 0
    url = config.base_url or OPENAI_URL
    probe = asyncio.run(_probe(url, key, config.model))
    table = make_table(f"\n{url}", "check", "", "detail")
    rows = {
        "reachable": probe.reachable,
        f"serves {config.model or 'the first model'}": probe.serves_model,
        "JSON schema output": probe.json_schema,
        "log-probabilities": probe.logprobs,
    }
    for name, finding in rows.items():
        add_row(table, name, {True: "yes", False: "no", None: "?"}[finding.ok], finding.detail)
    add_row(table, "context length", probe.context or "?", probe.context_detail)
    if probe.models:
        add_row(table, "models", len(probe.models), ", ".join(probe.models[:8]))
    out.print(table)
    bad = [name for name, finding in rows.items() if finding.ok is False and name != "log-probabilities"]
    if bad:
        raise EndpointError(f"{url} is not ready for work ({bad[0]}); see the table")
    return 0


async def _probe(url: str, key: str | None, model: str | None) -> Probe:
    client = HttpClient(url, key, timeout_s=60)
    try:
        if model is None:
            with contextlib.suppress(CallError, EndpointError):
                names = await client.models()
                model = names[0] if names else None
        return await probe_endpoint(client, model or "")
    finally:
        await client.close()
