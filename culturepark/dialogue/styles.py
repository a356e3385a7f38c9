"""One graph builder per style, compiled once and kept; the door to LangGraph for everyone else.

A new style is one builder and one line in ``STYLES``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from typing import Any

from langgraph.graph import END, START, StateGraph

from culturepark.dialogue.nodes import (
    moderate,
    speak,
    speak_at_table,
    speak_classic,
    write_notes,
    write_notes_at_table,
)
from culturepark.dialogue.state import DialogueContext, DialogueState

# A variable on the user's machine must not upload the dialogues.
if os.environ.get("CULTUREPARK_TRACING") != "1":
    os.environ["LANGSMITH_TRACING"] = "false"
    os.environ["LANGCHAIN_TRACING_V2"] = "false"

Graph = Any
Builder = Callable[[], "StateGraph[DialogueState, DialogueContext]"]


def build_pair() -> StateGraph[DialogueState, DialogueContext]:
    """Two people, each with an own view: notes, then turn by turn until a rule stops the talk."""
    graph = StateGraph(DialogueState, context_schema=DialogueContext)
    graph.add_node("notes", write_notes, destinations=("speak", END))
    graph.add_node("speak", speak, destinations=(END,))
    graph.add_edge(START, "notes")
    return graph


def build_panel() -> StateGraph[DialogueState, DialogueContext]:
    """Three or four people and a moderator who opens every round."""
    graph = StateGraph(DialogueState, context_schema=DialogueContext)
    graph.add_node("notes", write_notes_at_table, destinations=("moderate", END))
    graph.add_node("moderate", moderate, destinations=("speak", END))
    graph.add_node("speak", speak_at_table, destinations=("moderate", END))
    graph.add_edge(START, "notes")
    return graph


def build_classic() -> StateGraph[DialogueState, DialogueContext]:
    """The paper's protocol: main contact and delegate in one thread, a fixed number of turns, no notes."""
    graph = StateGraph(DialogueState, context_schema=DialogueContext)
    graph.add_node("speak", speak_classic, destinations=(END,))
    graph.add_edge(START, "speak")
    return graph


STYLES: dict[str, Builder] = {
    "cross": build_pair,
    "within": build_pair,
    "panel": build_panel,
    "classic": build_classic,
}


@cache
def _compiled(style: str) -> Graph:
    return STYLES[style]().compile()


async def talk(style: str, context: DialogueContext) -> DialogueState:
    """Run one dialogue to its end. Model errors come out as they are raised."""
    state: DialogueState = {"turns": [], "notes": {}, "stop": "", "fault": ("", "")}
    limit = context.turns * 2 + 8  # a bound of our own: the library's default is about 10,000 steps
    result: DialogueState = await _compiled(style).ainvoke(state, context=context, config={"recursion_limit": limit})
    return result
