"""A talk with its candidates on their way through the stages, and the count of what it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from culturepark.dialogue.state import Tally
from culturepark.llm.base import ChatClient, Reply, Request
from culturepark.records import Dialogue
from culturepark.refine.candidate import Candidate
from culturepark.refine.sentences import Sentence


@dataclass(slots=True)
class Draft:
    """A talk with each wanted seat's candidates, on its way through the stages."""

    dialogue: Dialogue
    wanted: Mapping[str, int]
    candidates: dict[str, list[Candidate]]
    sentences: tuple[Sentence, ...] = ()
    tally: Tally = field(default_factory=Tally)

    def live(self) -> list[Candidate]:
        """Candidates that nothing has dropped yet."""
        return [c for found in self.candidates.values() for c in found if c.dropped is None]

    def replace_all(self, changed: Sequence[Candidate]) -> None:
        """Put candidates in the places of those with the same id."""
        by_id = {c.id: c for c in changed}
        self.candidates = {seat: [by_id.get(c.id, c) for c in found] for seat, found in self.candidates.items()}

    def call_failure(self) -> str:
        """What made calls of this talk fail for good, if any did."""
        if self.dialogue.status == "failed":
            return f"{self.dialogue.reason}: {self.dialogue.detail}"
        drops = (c.dropped for found in self.candidates.values() for c in found)
        return next((f"{d.reason}: {d.evidence}" for d in drops if d and d.reason.startswith("call_")), "")

    def settled(self) -> Dialogue:
        """The dialogue with everything that was spent on it."""
        tally = self.tally
        return self.dialogue.model_copy(
            update={
                "calls": tally.calls,
                "input_tokens": tally.input_tokens,
                "cached_tokens": tally.cached_tokens,
                "output_tokens": tally.output_tokens,
                "usage": {purpose: tuple(numbers) for purpose, numbers in sorted(tally.usage.items())},
            }
        )


class Metered:
    """A client that counts every reply of one dialogue."""

    def __init__(self, inner: ChatClient, tally: Tally) -> None:
        self._inner, self._tally = inner, tally

    async def reply(self, request: Request) -> Reply:
        """Answer one request and count it; a mended reply is counted as such."""
        reply = await self._inner.reply(request)
        self._tally.add(reply, "mend" if request.purpose == "repair" else request.purpose)
        return reply

    async def close(self) -> None:
        """The inner client is closed by whoever opened it."""
