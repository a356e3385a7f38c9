"""What a dialogue graph carries (state) and what it may use (context)."""

from __future__ import annotations

import operator
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, TypedDict

from culturepark.culture.scenarios import Scene, Topic
from culturepark.language import LanguagePack
from culturepark.llm.base import ChatClient, Message, Purpose, Reply, Request, Sampling
from culturepark.prompts import Prompts
from culturepark.records import Note, Persona, Turn


class DialogueState(TypedDict):
    """The public talk and each speaker's private note; ``stop`` and ``fault`` end the talk."""

    turns: Annotated[list[Turn], operator.add]
    notes: dict[str, Note]
    stop: str
    fault: tuple[str, str]


@dataclass(slots=True)
class Tally:
    """Calls and tokens of one dialogue; replayed replies count like paid ones.

    ``usage`` has calls, input, cached and output tokens by purpose.
    """

    calls: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    usage: dict[str, list[int]] = field(default_factory=dict)

    def add(self, reply: Reply, purpose: str) -> None:
        """Count one reply."""
        self.take(purpose, (1, reply.usage.input, reply.usage.cached, reply.usage.output))

    def take(self, purpose: str, numbers: Sequence[int]) -> None:
        """Count calls, input, cached and output tokens of one purpose."""
        found = self.usage.setdefault(purpose, [0, 0, 0, 0])
        for place, number in enumerate(numbers):
            found[place] += number
        self.calls += numbers[0]
        self.input_tokens += numbers[1]
        self.cached_tokens += numbers[2]
        self.output_tokens += numbers[3]


@dataclass(frozen=True, slots=True)
class DialogueContext:
    """Everything a node may use. Nothing in it changes but the tally; ``made`` keeps prompts that stay the same."""

    id: str
    client: ChatClient
    model: str
    sampling: Sampling
    prompts: Prompts
    language: LanguagePack
    topic: Topic
    scene: Scene | None
    personas: dict[str, Persona]
    turns: int
    seed: int
    send_seeds: bool = True
    prefill: bool = False
    classic_chat: str = "guided"
    tally: Tally = field(default_factory=Tally)
    made: dict[tuple[str, str], str] = field(default_factory=dict)

    async def ask(
        self, step: str, purpose: Purpose, messages: list[Message], prefill: str = ""
    ) -> tuple[Reply, Request]:
        """Ask the model once. The step names the call inside the dialogue."""
        sampling = self.sampling
        if self.send_seeds:
            sampling = Sampling(
                sampling.temperature,
                sampling.top_p,
                sampling.max_tokens,
                step_seed(self.seed, self.id, step),
                sampling.stop,
                sampling.extra,
            )
        request = Request(
            f"{self.id}/{step}",
            purpose,
            self.model,
            tuple(messages),
            sampling,
            None,
            prefill if self.prefill else "",
        )
        reply = await self.client.reply(request)
        self.tally.add(reply, purpose)
        return reply, request


def step_seed(seed: int, dialogue: str, step: str) -> int:
    """A decoding seed of 31 bits for one call, so that equal prompts need not give equal words."""
    return zlib.crc32(f"{seed}/{dialogue}/{step}".encode()) & 0x7FFFFFFF
