"""The gate in front of a transport: shut, it lets no new call through, while calls under way are finished."""

from __future__ import annotations

from culturepark.llm.base import ChatClient, Reply, Request


class Draining(Exception):
    """The run is asked to stop: no new call may start."""


class Gate:
    """A client that lets calls through until the run is asked to stop; calls under way are finished."""

    def __init__(self, inner: ChatClient, leader: Gate | None = None) -> None:
        """``leader`` is a gate that this one is closed together with."""
        self._inner, self._leader = inner, leader
        self._closed = False

    @property
    def closed(self) -> bool:
        """May no new call start?"""
        return self._closed or (self._leader is not None and self._leader.closed)

    def shut(self) -> None:
        """Let no new call through."""
        self._closed = True

    async def reply(self, request: Request) -> Reply:
        """Answer one request, or raise ``Draining``."""
        if self.closed:
            raise Draining
        return await self._inner.reply(request)

    async def close(self) -> None:
        """Close what lies behind."""
        await self._inner.close()
