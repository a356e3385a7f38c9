"""The verifier: a small graph that checks all claims of a talk in one call and repairs what contradicts the view.

verify -> (mend) -> rewrite -> (mend) -> verify again -> (mend). A reply that fits neither time is an error on every
claim it was about, never a pass. A repaired claim must pass the same check and keep the quote's meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command

from culturepark.culture.scenarios import Topic
from culturepark.language import LanguagePack, words
from culturepark.llm.base import ChatClient, Reply, Sampling
from culturepark.prompts import Prompts
from culturepark.records import Dialogue, Findings, Rewrite
from culturepark.refine.asking import Answer, Question, ask, ask_to_mend, shuffle_claims
from culturepark.refine.candidate import Candidate
from culturepark.refine.checking import make_check, make_rewrite, read_grades, read_statements
from culturepark.refine.passages import Source
from culturepark.refine.sentences import Sentence

Step = Literal["verify", "rewrite", "verify_again"]


@dataclass(frozen=True, slots=True)
class VerifyContext:
    """What the verifier and the judges may use.

    ``find_fault`` checks a rewritten text of a candidate without a model and returns what is wrong, or nothing.
    """

    client: ChatClient
    model: str
    sampling: Sampling
    prompts: Prompts
    language: LanguagePack
    topic: Topic
    dialogue: Dialogue
    sentences: tuple[Sentence, ...]
    sources: tuple[Source, ...]
    seed: int
    find_fault: Callable[[Candidate, str], str]


@dataclass(frozen=True, slots=True)
class Verification:
    """Findings by candidate id, and all replies, mended ones included.

    A rewrite that was kept is the last of ``findings.rewrites``; to swap the candidate's text is left to the caller.
    """

    findings: Mapping[str, Findings]
    replies: tuple[Reply, ...]


@dataclass(frozen=True, slots=True)
class _Draft:
    """A rewritten text and what is wrong with it before any model has seen it."""

    text: str
    fault: str


class _State(TypedDict):
    """``orders``: the claims of each step as its question numbers them. ``answers``: the last one to each step."""

    step: Step
    orders: dict[str, tuple[Candidate, ...]]
    answers: dict[str, Answer]
    drafts: dict[str, _Draft]
    replies: list[Reply]


async def verify(context: VerifyContext, candidates: Sequence[Candidate]) -> Verification:
    """Check all candidates of one talk; without candidates no call is made. Model errors come out as raised."""
    if not candidates:
        return Verification({}, ())
    order = shuffle_claims(candidates, f"{context.seed}/{context.dialogue.id}")
    start = _State(step="verify", orders={"verify": order}, answers={}, drafts={}, replies=[])
    state: _State = await _graph().ainvoke(start, context=context)
    return Verification({c.id: _judge(context, state, c) for c in candidates}, tuple(state["replies"]))


@cache
def _graph() -> Any:
    graph = StateGraph(_State, context_schema=VerifyContext)
    graph.add_node("verify", _ask, destinations=("mend", "rewrite", END))
    graph.add_node("rewrite", _ask, destinations=("mend", "verify_again", END))
    graph.add_node("verify_again", _ask, destinations=("mend", END))
    graph.add_node("mend", _mend, destinations=("rewrite", "verify_again", END))
    graph.add_edge(START, "verify")
    return graph.compile()


async def _ask(state: _State, runtime: Runtime[VerifyContext]) -> Command[str]:
    answer = await ask(runtime.context, _make_question(runtime.context, state))
    return _go_on(runtime.context, state, answer, "mend")


async def _mend(state: _State, runtime: Runtime[VerifyContext]) -> Command[str]:
    bad = state["answers"][state["step"]]
    answer = await ask_to_mend(runtime.context, _make_question(runtime.context, state), bad)
    return _go_on(runtime.context, state, answer, END)


def _make_question(context: VerifyContext, state: _State) -> Question:
    order = state["orders"][state["step"]]
    if state["step"] == "rewrite":
        return make_rewrite(context, order)
    again = state["step"] == "verify_again"
    rewrites = {i: draft.text for i, draft in state["drafts"].items()} if again else None
    return make_check(context, context.sources, order, rewrites)


def _go_on(context: VerifyContext, state: _State, answer: Answer, on_error: str) -> Command[str]:
    """Keep the answer and choose the next node: only claims that contradict, then only sound rewrites, go on."""
    step, order = state["step"], state["orders"][state["step"]]
    update: dict[str, Any] = {
        "answers": {**state["answers"], step: answer},
        "replies": [*state["replies"], answer.reply],
    }
    if answer.error:
        return Command(update=update, goto=on_error)
    following: tuple[Candidate, ...] = ()
    if step == "verify":
        following = tuple(c for k, c in enumerate(order, 1) if answer.value[str(k)]["stance"] == "contradicts")
    elif step == "rewrite":
        drafts = {c.id: _draft(context, c, answer.value[str(k)]["rewrite"]) for k, c in enumerate(order, 1)}
        update["drafts"] = drafts
        following = tuple(c for c in order if not drafts[c.id].fault)
    if not following:
        return Command(update=update, goto=END)
    next_step: Step = "rewrite" if step == "verify" else "verify_again"
    update |= {"step": next_step, "orders": {**state["orders"], next_step: following}}
    return Command(update=update, goto=next_step)


def _draft(context: VerifyContext, candidate: Candidate, rewrite: str) -> _Draft:
    text = " ".join(rewrite.split())
    return _Draft(text, "unchanged" if words(text) == words(candidate.text) else context.find_fault(candidate, text))


def _judge(context: VerifyContext, state: _State, candidate: Candidate) -> Findings:
    answer = state["answers"]["verify"]
    if answer.error:
        return Findings(error=answer.error, request=answer.request)
    findings = _read_check(context, state, "verify", candidate)
    if findings.stance != "contradicts":
        return findings
    rewritten = state["answers"]["rewrite"]
    draft = state["drafts"].get(candidate.id, _Draft("", f"unreadable_reply: {rewritten.error}"))
    checked, fault = findings, draft.fault
    if not fault:
        again = state["answers"]["verify_again"]
        fault = f"unreadable_reply: {again.error}" if again.error else _find_repair_fault(state, candidate)
        checked = findings if fault else _read_check(context, state, "verify_again", candidate)
    rewrite = Rewrite(
        original=candidate.text,
        text=draft.text,
        reason="contradicts_stance",
        kept=not fault,
        fault=fault,
        request=rewritten.request,
    )
    return checked.model_copy(update={"rewrites": (rewrite,)})


def _find_number(state: _State, step: Step, candidate: Candidate) -> int:
    return next(k for k, c in enumerate(state["orders"][step], 1) if c.id == candidate.id)


def _read_check(context: VerifyContext, state: _State, step: Step, candidate: Candidate) -> Findings:
    answer, number = state["answers"][step], _find_number(state, step, candidate)
    part = answer.value[str(number)]
    complexity, quality, exact = read_grades(part, answer.reply, number)
    return Findings(
        stance=part["stance"],
        statements=read_statements(part, context.sources),
        complexity=complexity,
        quality=quality,
        quality_from="probabilities" if exact else "integers",
        request=answer.request,
    )


def _find_repair_fault(state: _State, candidate: Candidate) -> str:
    part = state["answers"]["verify_again"].value[str(_find_number(state, "verify_again", candidate))]
    if part["stance"] != "follows":
        return "still_contradicts" if part["stance"] == "contradicts" else "says_nothing"
    return "" if part["keeps_meaning"] else "meaning_changed"
