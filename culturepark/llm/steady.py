"""Asks again when a reply is plainly broken: no text at all, or a wanted form that is not JSON.

A server that now and then stumbles like that would otherwise leave its mark on the samples, a different one after each
stop. What stays broken is passed on: those who asked may put it in other words.
"""

from __future__ import annotations

import json

from culturepark.llm.base import ChatClient, Reply, Request

ASKED_AGAIN = 2


class SteadyClient:
    """Below the reply log and above the retries: a broken reply is paid, but not kept."""

    def __init__(self, inner: ChatClient, asked_again: int = ASKED_AGAIN) -> None:
        self._inner, self._asked_again = inner, asked_again

    async def reply(self, request: Request) -> Reply:
        """Answer one request, with the first reply that is whole, else the last."""
        reply = await self._inner.reply(request)
        for _ in range(self._asked_again):
            if not is_broken(request, reply):
                break
            reply = await self._inner.reply(request)
        return reply

    async def close(self) -> None:
        """Close the inner client."""
        await self._inner.close()


def is_broken(request: Request, reply: Reply) -> bool:
    """Is there nothing in the reply that its asker could use? A refusal is an answer."""
    if reply.refusal or reply.finish == "filter":
        return False
    if not reply.text.strip():
        return True
    return request.schema is not None and not _holds_json(request.prefill + reply.text, reply.text)


def _holds_json(*texts: str) -> bool:
    for text in texts:
        start, end = text.find("{"), text.rfind("}")
        try:
            json.loads(text[start : end + 1])
        except (ValueError, RecursionError):
            continue
        return True
    return False
