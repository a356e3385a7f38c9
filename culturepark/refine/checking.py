"""What the verifier asks: the check of claims, their rewriting, and the form the answers must have.

The forms shown in the questions hold no valid value, so that a model that only repeats them says nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, get_args

from culturepark.llm.base import Reply, Schema
from culturepark.llm.digits import expect_grade
from culturepark.records import Statement
from culturepark.refine.asking import (
    Question,
    TalkContext,
    find_grade_misfit,
    find_number_misfit,
    name_speaker,
    number_lines,
    number_schema,
    quote,
    show_texts,
    strict_schema,
)
from culturepark.refine.candidate import Candidate
from culturepark.refine.passages import Source

STANCES = ("follows", "contradicts", "silent")
_STATEMENT = Statement.model_fields
_KINDS: tuple[str, ...] = get_args(_STATEMENT["kind"].annotation)
_VERDICTS: tuple[str, ...] = get_args(_STATEMENT["verdict"].annotation)
_GRADES = ("complexity", "quality")
_GRADE_PLACE = re.compile(r'"(\w+)"\s*:\s*(?:\{|(\d)(?![\d.]))')
_NO_SOURCE = "none"
_HIGHEST = 6
_MOST_STATEMENTS = 4
_TOKENS, _TOKENS_A_CHECK, _TOKENS_A_SMALL_CHECK, _TOKENS_A_REWRITE = 60, 260, 50, 160
_FORMS: dict[str, Any] = {
    "stance": "|".join(STANCES),
    "statements": [
        {"text": "...", "kind": "|".join(_KINDS), "verdict": "|".join(_VERDICTS), "source": "<id>|none"},
    ],
    "complexity": f"1-{_HIGHEST}",
    "quality": f"1-{_HIGHEST}",
    "keeps_meaning": "true|false",
    "rewrite": "...",
}


def make_check(
    context: TalkContext,
    sources: Sequence[Source],
    order: Sequence[Candidate],
    rewrites: Mapping[str, str] | None = None,
) -> Question:
    """Ask for stance, statements and grades of the claims; with ``rewrites`` (by id) of those, beside what was said."""
    full = context.prompts.size == "full"
    name = "verify" if rewrites is None else "verify_again"
    parts: dict[str, Any] = {"stance": {"type": "string", "enum": list(STANCES)}}
    if full:
        parts["statements"] = _statements_schema(sources)
    for grade in _GRADES:
        parts[grade] = {"type": "integer", "enum": list(range(1, _HIGHEST + 1))}
    if rewrites is not None:
        parts["keeps_meaning"] = {"type": "boolean"}
    texts = [quote(c.text) for c in order] if rewrites is not None else show_texts(context, order)
    lines = [_show_claim(context, c, text, full) for c, text in zip(order, texts, strict=True)]
    if rewrites is not None:
        lines = [f"{line} Now: {quote(rewrites[c.id])}" for line, c in zip(lines, order, strict=True)]
    shown = "\n".join(f"[{s.id}] {quote(s.text)}" for s in sources) or "(there are none)"
    find_part_misfit = partial(_find_check_misfit, parts=tuple(parts), ids={s.id for s in sources})
    tokens = _TOKENS_A_CHECK if full else _TOKENS_A_SMALL_CHECK
    holes = {"sources": shown, "views": _show_views(context, full)}
    return _make_question(context, name, lines, parts, holes, find_part_misfit, tokens)


def make_rewrite(context: TalkContext, order: Sequence[Candidate]) -> Question:
    """Ask for the claims in words that are in line with the view."""
    lines = [f"{_show_view(context, c.speaker)} Said: {quote(c.text)}" for c in order]
    holes = {"language": context.language.id.capitalize()}
    parts = {"rewrite": {"type": "string"}}
    return _make_question(context, "rewrite", lines, parts, holes, _find_rewrite_misfit, _TOKENS_A_REWRITE)


def _make_question(
    context: TalkContext,
    name: str,
    lines: Sequence[str],
    parts: Mapping[str, Any],
    holes: Mapping[str, str],
    find_part_misfit: Any,
    tokens: int,
) -> Question:
    form = f'{{"1": {json.dumps({part: _FORMS[part] for part in parts})}, "2": ...}}'
    step = name.replace("_", "-")
    return Question(
        step=step,
        purpose="rewrite" if name == "rewrite" else "verify",
        text=context.prompts.render(name, {**holes, "claims": number_lines(lines), "form": form}),
        schema=Schema(name, number_schema(len(lines), parts)),
        find_misfit=partial(find_number_misfit, count=len(lines), find_part_misfit=find_part_misfit),
        mend_step=f"{step}-mend",
        tokens=_TOKENS + tokens * len(lines),
    )


def _show_claim(context: TalkContext, candidate: Candidate, text: str, full: bool) -> str:
    name = name_speaker(context, candidate)
    return f"{name}. Asked: {quote(candidate.question)} Said: {text}" if full else f"{name}: {text}"


def _show_views(context: TalkContext, full: bool) -> str:
    """Everybody's view, once; the same for every check of a talk."""
    return "\n".join(_show_view(context, seat, full) for seat in context.dialogue.personas) or "(not known)"


def _show_view(context: TalkContext, speaker: str, full: bool = False) -> str:
    persona = context.dialogue.personas.get(speaker)
    name = persona.name if persona else "The speaker"
    name = f"{name} ({persona.country_name})" if persona and full else name
    view = quote(persona.stance.view) if persona and persona.stance.view else "(not known)"
    return f"{name} holds: {view}"


def _statements_schema(sources: Sequence[Source]) -> dict[str, Any]:
    parts = {
        "text": {"type": "string"},
        "kind": {"type": "string", "enum": list(_KINDS)},
        "verdict": {"type": "string", "enum": list(_VERDICTS)},
        "source": {"type": "string", "enum": [*(s.id for s in sources), _NO_SOURCE]},
    }
    return {"type": "array", "items": strict_schema(parts), "maxItems": _MOST_STATEMENTS}


def _find_check_misfit(part: Mapping[str, Any], parts: Sequence[str], ids: set[str]) -> str:
    if part.get("stance") not in STANCES:
        return f'"stance" must be one of {", ".join(STANCES)}'
    for grade in _GRADES:
        wrong = find_grade_misfit(part, grade, _HIGHEST)
        if wrong:
            return wrong
    if "keeps_meaning" in parts and type(part.get("keeps_meaning")) is not bool:
        return '"keeps_meaning" must be true or false'
    return _find_statements_misfit(part.get("statements"), ids) if "statements" in parts else ""


def _find_statements_misfit(statements: Any, ids: set[str]) -> str:
    if not isinstance(statements, list) or len(statements) > _MOST_STATEMENTS:
        return f'"statements" must be a list of at most {_MOST_STATEMENTS}'
    for given in statements:
        if not isinstance(given, dict) or not _has_letters(given.get("text")):
            return 'a statement has no "text"'
        for name, known in (("kind", _KINDS), ("verdict", _VERDICTS)):
            if given.get(name) not in known:
                return f'the "{name}" of a statement must be one of {", ".join(known)}'
        source = given.get("source")
        if not isinstance(source, str) or source not in ids | {_NO_SOURCE}:
            return f'the "source" of a statement must be the id of a source or "{_NO_SOURCE}"'
    return ""


def _find_rewrite_misfit(part: Mapping[str, Any]) -> str:
    return "" if _has_letters(part.get("rewrite")) else '"rewrite" must be the claim in new words'


def _has_letters(text: Any) -> bool:
    return isinstance(text, str) and any(c.isalpha() for c in text)


def read_statements(part: Mapping[str, Any], sources: Sequence[Source]) -> tuple[Statement, ...]:
    """The statements of a fitting answer. What is said to be known without a source is unknown."""
    texts = {s.id: s.text for s in sources}
    found = []
    for given in part.get("statements", ()):
        source = given["source"] if given["source"] in texts and given["verdict"] != "unknown" else ""
        found.append(
            Statement(
                text=" ".join(given["text"].split()),
                kind=given["kind"],
                verdict=given["verdict"] if source else "unknown",
                source=source,
                passage=texts.get(source, ""),
            )
        )
    return tuple(found)


def read_grades(part: Mapping[str, Any], reply: Reply, number: int) -> tuple[float, float, bool]:
    """Complexity and quality of a claim in a fitting answer, and whether both come from probabilities.

    Expected values over 1 to 6 (DEITA) where the reply has the probabilities of these digits, else the integers.
    """
    rows, places = dict(reply.digits), _find_grades(reply.text, number) if reply.digits else {}
    expected = []
    for grade in _GRADES:
        place = places.get(grade, -1)
        sure = place in rows and reply.text[place] == str(part[grade])
        expected.append(expect_grade(rows[place], 1, _HIGHEST) if sure else None)
    if expected[0] is None or expected[1] is None:
        return float(part["complexity"]), float(part["quality"]), False
    return round(expected[0], 4), round(expected[1], 4), True


def _find_grades(text: str, number: int) -> dict[str, int]:
    """Where each grade of a claim stands in the JSON of a reply; quotes inside its texts are escaped."""
    found, current = {}, ""
    for match in _GRADE_PLACE.finditer(text):
        name, digit = match.groups()
        if digit is None and name.isdigit():
            current = name
        elif digit is not None and name in _GRADES and current == str(number):
            found[name] = match.start(2)
    return found
