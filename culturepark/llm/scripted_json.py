"""JSON answers of the scripted engine: values that fit a schema, claims that point at a transcript, judgements."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from culturepark.llm.scripted_judging import (
    give_judgement,
    give_statements,
    has_judgement,
    place_on_scale,
    rewrite_claim,
)
from culturepark.llm.scripted_phrases import Dice, Speech

_KIND_SIGNS = {"norm": (" should ", " ought to "), "custom": (" we ", " our ")}
_DEEP = 6
_SENTENCE = re.compile(r"^\[(\d+)\] (.*)$", re.MULTILINE)


def fill_schema(schema: Mapping[str, Any], transcript: str, speech: Speech) -> str:
    """JSON text that fits the schema. ``transcript`` holds the sentences claims may point at, and the question."""
    return json.dumps(_Filler(schema, transcript, speech).fill(schema), ensure_ascii=False)


class _Filler:
    def __init__(self, root: Mapping[str, Any], transcript: str, speech: Speech) -> None:
        self._root, self._transcript, self._speech = root, transcript, speech
        self._dice: Dice = speech.dice
        self._numbers: dict[str, Sequence[int]] = {}

    def fill(self, schema: Any, depth: int = 0) -> Any:
        """A value for any schema."""
        if not isinstance(schema, Mapping):
            return None
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self._dice.pick(schema["enum"])
        if "$ref" in schema:
            return self.fill(self._follow(schema["$ref"]), depth + 1)
        if choices := schema.get("anyOf") or schema.get("oneOf"):
            return self.fill(_simplest(choices) if depth > _DEEP else self._dice.pick(choices), depth + 1)
        if "allOf" in schema:
            return self.fill(self._merge(schema), depth + 1)
        return self._fill_type(_type_of(schema), schema, depth)

    def _follow(self, reference: str) -> Any:
        found: Any = self._root
        for part in reference.lstrip("#/").split("/"):
            found = found[part.replace("~1", "/").replace("~0", "~")] if part else found
        return found

    def _merge(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        merged = {key: value for key, value in schema.items() if key != "allOf"}
        for part in schema["allOf"]:
            whole = self._follow(part["$ref"]) if "$ref" in part else part
            properties = {**_properties(merged), **_properties(whole)}
            required = [*merged.get("required", ()), *whole.get("required", ())]
            merged = {**merged, **whole, "properties": properties, "required": required}
        return merged

    def _fill_type(self, kind: str, schema: Mapping[str, Any], depth: int) -> Any:
        if kind == "object":
            return self._fill_object(schema, depth)
        if kind == "array":
            return self._fill_array(schema, depth)
        if kind in ("integer", "number"):
            return _fit_number(schema, self._dice, whole=kind == "integer")
        if kind == "boolean":
            return bool(self._dice.below(2))
        return self._fill_string(schema) if kind == "string" else None

    def _fill_object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        required = schema.get("required", ())
        filled: dict[str, Any] = {}
        for name, part in schema.get("properties", {}).items():
            if depth > _DEEP and name not in required:
                continue
            filled[name] = self._fill_part(name, part, depth)
        return filled

    def _fill_part(self, name: str, part: Any, depth: int) -> Any:
        part = self._follow(part["$ref"]) if isinstance(part, Mapping) and "$ref" in part else part
        numbers, parts = _pointed_numbers(part), _properties(part)
        if numbers is not None:
            self._numbers[name] = numbers
            return self._claim(part, numbers)
        if {"after", "sentence"} <= parts.keys():
            return self._shift(part, self._numbers.get(name, ()))
        if parts.keys() == {"rewrite"}:
            return {"rewrite": rewrite_claim(self._transcript, name, self._dice)}
        if name == "statements" and {"verdict", "source"} <= _properties(part.get("items")).keys():
            return give_statements(part, self._dice, self._speech)
        if isinstance(part, Mapping) and has_judgement(name, part):
            return give_judgement(name, self._dice)
        return self.fill(part, depth + 1)

    def _fill_array(self, schema: Mapping[str, Any], depth: int) -> list[Any]:
        least = schema.get("minItems", 0)
        most = schema.get("maxItems", least + 2)
        count = least if depth > _DEEP else least + self._dice.below(min(most - least, 3) + 1)
        fixed = schema.get("prefixItems", ())
        items = [self.fill(part, depth + 1) for part in fixed]
        for _ in range(count * 20):
            if len(items) >= count:
                break
            value = self.fill(schema.get("items", {}), depth + 1)
            if not (schema.get("uniqueItems") and value in items):
                items.append(value)
        return items

    def _fill_string(self, schema: Mapping[str, Any]) -> str:
        text = self._speech.say("note")
        while len(text) < schema.get("minLength", 0):
            text += " " + self._speech.say("note")
        return text[: schema.get("maxLength", len(text))]

    def _claim(self, part: Mapping[str, Any], numbers: Sequence[int]) -> list[dict[str, Any]]:
        """Claims of one speaker, no sentence used twice; now and then one fewer than wanted."""
        longest = _properties(part["items"])["sentences"].get("maxItems", 2)
        own = [n for n in numbers if n > 0]
        spans = self._dice.shuffle(_cut_spans(own, min(2, longest), self._dice))
        most = part.get("maxItems", 3)
        wanted = most - 1 if most > part.get("minItems", 0) and self._dice.chance(0.05) else most
        return [self._point(part["items"], span, own) for span in spans[:wanted]]

    def _point(self, schema: Mapping[str, Any], span: list[int], own: Sequence[int]) -> dict[str, Any]:
        claim: dict[str, Any] = {}
        for name, part in _properties(schema).items():
            if name == "sentences":
                claim[name] = span
            elif name == "reasons":
                others = [n for n in own if n not in span]
                claim[name] = sorted(self._dice.shuffle(others)[: self._dice.below(part.get("maxItems", 2) + 1)])
            elif name == "question":
                claim[name] = self._speech.say("question")
            elif name == "kind" and "enum" in part:
                claim[name] = self._judge_kind(span[0], part["enum"])
            else:
                claim[name] = self.fill(part)
        return claim

    def _judge_kind(self, number: int, kinds: Sequence[str]) -> str:
        mark = f"[{number}] "
        start = self._transcript.find(mark)
        sentence = self._transcript[start : start + 400].split("\n", 1)[0] if start >= 0 else ""
        for kind, signs in _KIND_SIGNS.items():
            if kind in kinds and any(sign in sentence for sign in signs):
                return kind
        return "opinion" if "opinion" in kinds else self._dice.pick(kinds)

    def _shift(self, part: Mapping[str, Any], own: Sequence[int]) -> dict[str, Any]:
        """Most people keep their view; who moved did so at the end."""
        kinds = _properties(part)["after"].get("enum", ["same"])
        after = self._dice.pick(kinds) if self._dice.chance(0.2) else kinds[0]
        shift = {"after": after, "sentence": max(own, default=0) if after == "moved" else 0}
        if "now" in _properties(part):
            sentences = dict(_SENTENCE.findall(self._transcript))
            said = " ".join(sentences.get(str(n), "") for n in own)
            shift["now"] = place_on_scale(after, said, _properties(part)["now"]["enum"], self._dice)
        return shift


def _pointed_numbers(part: Any) -> Sequence[int] | None:
    """The sentence numbers a list of claims may use; None where the schema asks for something else."""
    items = part.get("items") if isinstance(part, Mapping) else None
    numbers = _properties(items).get("sentences", {}).get("items", {}).get("enum")
    return numbers if isinstance(numbers, (list, tuple)) and numbers else None


def _cut_spans(numbers: Sequence[int], longest: int, dice: Dice) -> list[list[int]]:
    """Neighbouring numbers in ones and twos. A gap means another speaker, so no span crosses it."""
    spans: list[list[int]] = []
    for number in numbers:
        joins = spans and spans[-1][-1] == number - 1 and len(spans[-1]) < longest
        if joins and dice.chance(0.7):
            spans[-1].append(number)
        else:
            spans.append([number])
    return spans


def _fit_number(schema: Mapping[str, Any], dice: Dice, whole: bool) -> float:
    """A multiple of the step between the bounds, or their middle where they are too narrow for one."""
    step = schema.get("multipleOf", 1 if whole else 0.5)
    lows = [math.ceil(schema["minimum"] / step)] if "minimum" in schema else []
    lows += [math.floor(schema["exclusiveMinimum"] / step) + 1] if "exclusiveMinimum" in schema else []
    highs = [math.floor(schema["maximum"] / step)] if "maximum" in schema else []
    highs += [math.ceil(schema["exclusiveMaximum"] / step) - 1] if "exclusiveMaximum" in schema else []
    first = max(lows) if lows else min(0, *highs, 0)
    last = min(first + 10, *highs) if highs else first + 10
    if last < first and not whole:
        bounds = [schema[k] for k in ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum") if k in schema]
        return float(sum(bounds) / len(bounds))
    value = (first + dice.below(max(last - first, 0) + 1)) * step
    return int(value) if whole else float(value)


def _type_of(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, str):
        return kind
    if kind:
        return next((k for k in kind if k != "null"), "null")
    return "object" if "properties" in schema else "array" if "items" in schema else "string"


def _simplest(choices: Sequence[Any]) -> Any:
    """The choice that ends a recursion, if there is one."""
    return min(choices, key=lambda c: ("$ref" in c) * 2 + (_type_of(c) in ("object", "array")))


def _properties(schema: Any) -> Mapping[str, Any]:
    found = schema.get("properties", {}) if isinstance(schema, Mapping) else {}
    return found if isinstance(found, Mapping) else {}
