"""The offline engine: answers every kind of request by itself, without a server and without chance.

A reply depends on ``Request.hash()`` and the messages alone, so reruns and resumes give equal bytes. What
it says comes from ``scripted.yaml``; title and view are read out of the prompt, as a model would.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

from culturepark.llm.base import Finish, Reply, Request, Usage
from culturepark.llm.scripted_json import fill_schema
from culturepark.llm.scripted_phrases import Dice, Speech, load_book

Answer = str | Reply | Exception
Script = Iterable[Answer] | Callable[[Request], Answer] | None

_LOOSE_SHARE = 0.2  # of turns get one sentence that cannot stand alone: about 6 % of all sentences


class ScriptedClient:
    """A client that needs no server: built-in talk, or a script of fixed answers.

    ``script`` is a queue of answers or a function of the request; an exception in it is raised. The
    rates say how often a first try fails on purpose, so that checks and ledgers have work.
    """

    def __init__(
        self,
        script: Script = None,
        latency_s: float = 0.0,
        *,
        fault_rate: float = 0.005,
        badjson_rate: float = 0.01,
        maxlen: int = 1000,
    ) -> None:
        self._queue = None if script is None or callable(script) else deque(script)
        self._function = script if callable(script) else None
        self._latency_s = latency_s
        spoken, written = ("note", "turn", "moderate"), ("extract", "verify", "rewrite", "harm", "fit")
        self._rates = {**dict.fromkeys(spoken, fault_rate), **dict.fromkeys(written, badjson_rate)}
        self.history: deque[Request] = deque(maxlen=maxlen)
        self.calls = 0

    async def reply(self, request: Request) -> Reply:
        """Answer one request."""
        self.calls += 1
        self.history.append(request)
        if self._latency_s > 0:
            await asyncio.sleep(self._latency_s)
        answer = self._answer(request)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Reply) else _as_reply(request, answer, "stop")

    async def close(self) -> None:
        """Nothing is held open."""

    def _answer(self, request: Request) -> Answer:
        if self._function is not None:
            return self._function(request)
        if self._queue is not None:
            if not self._queue:
                raise RuntimeError(f"the script has no answer left for call {self.calls} ({request.key})")
            return self._queue.popleft()
        dice = Dice(request.hash())
        faulty = dice.chance(self._rates.get(request.purpose, 0.0))
        if request.purpose == "probe" and request.schema is None:
            return "Yes."
        if request.schema is not None:
            return _answer_in_json(request, dice, faulty)
        return _speak(request, dice, faulty)


def _as_reply(request: Request, text: str, finish: Finish) -> Reply:
    read = sum(len(m["content"]) for m in request.messages) // 4
    return Reply(text, finish, Usage(input=read, output=len(text) // 4), request.model)


@dataclass(frozen=True, slots=True)
class _Setting:
    """What was read out of a system prompt; empty where nothing was recognised.

    ``holder`` is who holds the view in a thread that several people share.
    """

    title: str
    view: str
    holder: str
    name: str
    moderates: bool


_TALK = "Talk about "
_SUBJECT = "What you think about the subject, "
_OWN_VIEW = re.compile(r"Your view: (.+?[.!?])(?:\s|$)")
_NEXT = re.compile(r"Hand over to (.{1,60}?) now")
_CLAUSE_END = re.compile(r"[,:;.?!]| (?:when|where|if|who|that|which|before|compared|and (?:how|whether|what))\b")
# Most often a noun: a preposition, article or comma before it, and after it nothing that it could describe.
_THINGS = re.compile(
    r"(?:\b(?:an?|at|about|and|between|by|for|from|in|of|on|or|the|with)|,) ([a-z]{4,})"
    r"(?=[,.:;]|$| (?:and|as|at|before|between|for|from|in|of|on|or|that|to|when|where|with)\b)"
)


@lru_cache(maxsize=2048)
def _read_prompt(text: str) -> _Setting:
    text = f"\n{text}\n"
    title, view = _between(text, _SUBJECT, ":\n"), _between(text, ':\n"', '"\n', after=_SUBJECT)
    holder = ""
    if not title:
        title = _between(text, "\nSubject: ", ". ")
    if not view and ' thinks: "' in text:
        before, _, rest = text.partition(' thinks: "')
        holder, view = before.rpartition("\n")[2], rest.partition('"')[0]
    return _Setting(
        title=_short_title(title),
        view=view,
        holder=holder,
        name=_between(text, "\nYou are ", ","),
        moderates="moderator" in text[:200],
    )


def _between(text: str, start: str, end: str, after: str = "") -> str:
    if after:
        text = text.partition(after)[2]
    found = text.partition(start)[2]
    return found.partition(end)[0] if end in found else ""


def _short_title(text: str) -> str:
    return _lower_first(text) if len(text.split()) <= 10 else ""


def _lower_first(text: str) -> str:
    return text if text[1:2].isupper() or re.match(r"I\b", text) else text[:1].lower() + text[1:]


def _find_topic(contents: list[str]) -> tuple[str, ...]:
    """Things to talk about, out of the last message with a sentence that begins with "Talk about"."""
    for text in reversed(contents):
        start = text.find(_TALK)
        if start >= 0:
            end = text.find(". ", start)
            return _read_topic(text[start + len(_TALK) : end if end > 0 else start + 600])
    return ()


@lru_cache(maxsize=2048)
def _read_topic(sentence: str) -> tuple[str, ...]:
    clause = _CLAUSE_END.split(sentence, maxsplit=1)[0]
    fits = 3 <= len(clause.split()) <= 8 and not re.search(r"\byour?\b|\b(?:and|of|people)$", clause)
    idle = load_book().no_subjects
    things = [w for w in dict.fromkeys(_THINGS.findall(sentence)) if w not in idle]
    things = things or sorted((w for w in re.findall(r"[a-z]{5,}", sentence) if w not in idle), key=len)[-2:]
    things.sort(key=lambda w: not re.search("[^s]s$", w))  # plurals first: those are seldom verbs
    return (*([clause] if fits else []), *things[:4])


_TITLE_PART = re.compile(r" (?:and|or|for|with|when|who|day) ")
_LOOSE_WORDS = re.compile(r"(?: (?:a|an|as|at|by|in|is|of|on|the|to))+$")


def _find_subjects(title: str, things: tuple[str, ...]) -> tuple[str, ...]:
    if len(title.split()) <= 5:
        return (title,) * 4 + things if title else things
    # A long title said twice is nearly an echo: most times only how it begins.
    head = _TITLE_PART.split(title, maxsplit=1)[0]
    head = head if re.search(r"\w{6}", head) else title
    return (title, *[_LOOSE_WORDS.sub("", " ".join(head.split()[:5]))] * 3, *things)


def _speak(request: Request, dice: Dice, faulty: bool) -> str | Reply:
    contents = [m["content"] for m in request.messages] or [""]
    setting, heard = _read_prompt(contents[0]), "\n".join([*contents[1:], request.prefill])
    # A repair comes after the cue, the bad text and the complaint.
    cue = contents[-3 if request.purpose == "repair" and len(contents) > 3 else -1]
    handed = _NEXT.search(cue) if "Hand over to" in cue else None
    given = {"view": _open_view(setting, cue, heard), "next": handed[1] if handed else "Friends"}
    speech = Speech(dice, _find_subjects(setting.title, _find_topic(contents)), heard, given)
    if request.purpose == "moderate" or setting.moderates:
        kinds = ["moderate"]
    elif request.purpose == "note":
        kinds = dice.shuffle(("note", "reason", "story"))[: 2 + dice.below(2)]
    else:
        kinds = _plan_turn(dice, bool(given["view"]), "two short sentences" in cue)
    text = _join([speech.say(kind) for kind in kinds], request.sampling.max_tokens)
    text = _lower_first(text) if request.prefill else text
    return _spoil(request, text, speech, setting.name) if faulty else text


def _open_view(setting: _Setting, cue: str, heard: str) -> str:
    """The speaker's view, unless it is another's, was quoted before in this talk or might have been."""
    view = setting.view
    if "Your view: " in cue and "said: " not in cue:
        found = _OWN_VIEW.search(cue)
        view = found[1] if found else ""
    if setting.holder and f"Now you are {setting.holder}." not in cue:
        return ""
    if heard.count(view[1:60]) > (view is not setting.view):
        return ""
    return _lower_first(view if view[-1:] in ("", ".", "!", "?") else view + ".")


def _plan_turn(dice: Dice, has_view: bool, short: bool) -> list[str]:
    """Kinds of sentences in order; at least one is about the subject, few cannot stand alone."""
    first, *others = dice.shuffle(("reason", "norm", "contrast"))
    count = 2 if short else dice.pick((2, 3, 3, 4))
    stance = ["stance"] if has_view and dice.chance(0.85) else []
    more = [*stance, *dice.shuffle(("story", "custom", "story", *others))]
    kinds = dice.shuffle([first, *more[: count - 1]])
    if dice.chance(_LOOSE_SHARE):
        return [*kinds, "loose_end"] if dice.below(2) else ["loose_start", *kinds]
    return kinds


def _join(sentences: list[str], max_tokens: int | None) -> str:
    while len(sentences) > 1 and max_tokens and sum(map(len, sentences)) > max_tokens * 4:
        sentences.pop()
    return " ".join(sentences)


def _spoil(request: Request, text: str, speech: Speech, name: str) -> str | Reply:
    """One of the ways in which real models fail."""
    way = speech.dice.pick(("empty", "cut", "name", "machine"))
    if way == "empty":
        return ""
    if way == "machine":
        return speech.say("machine")
    if way == "name":
        return f"{name or 'Moderator'}: {text}"
    return _as_reply(request, _cut(text, speech.dice), "length")


def _cut(text: str, dice: Dice) -> str:
    """The text broken off inside a sentence."""
    return text[: len(text) * (15 + dice.below(80)) // 100].rstrip(" .?!:,") or text[:1]


def _answer_in_json(request: Request, dice: Dice, faulty: bool) -> str | Reply:
    transcript = max((m["content"] for m in request.messages if m["role"] == "user"), key=len, default="")
    title = _between(transcript, "The subject was: ", " (") or _between(transcript, "\nSubject: ", ".\n")
    speech = Speech(dice, _find_subjects(_short_title(title), ()))
    text = fill_schema(request.schema.body if request.schema else {}, transcript, speech)
    if not faulty:
        return text
    if dice.below(3) == 0:
        return speech.say("prose")
    return _as_reply(request, text[: len(text) * (20 + dice.below(70)) // 100], "length")
