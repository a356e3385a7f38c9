"""Near copies of a text never stand on two sides."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import pytest

from culturepark.export.copies import CopyPairs
from culturepark.export.splits import assign_splits
from tests.export.made import MadeRun, make_many, make_pair, make_sample, make_text
from tests.export.sides import count_sides


def vary(text: str, word: str) -> str:
    """The same text but for one word in the middle."""
    said = text.split()
    said[len(said) // 2] = word
    return " ".join(said)


@pytest.mark.parametrize("by", ["topic", "dialogue", "auto"])
def test_near_copies_stay_on_one_side(tmp_path: Path, by: Any) -> None:
    """Copies over all topics: by topics they are left out on one side, by dialogues they bind."""
    samples = make_many(topics=10, talks=6, each=1)
    texts = [make_text(f"copied {k}", 60) for k in range(4)]
    copied = [
        make_sample(f"t{t}copy{k}", f"topic{t}", text=vary(text, f"changed{t}"), culture="arab")
        for k, text in enumerate(texts)
        for t in (k, (k + 3) % 10, (k + 5) % 10)
    ]
    everything = samples + copied
    splits = assign_splits(MadeRun(tmp_path, everything), by=by)
    for text in texts:
        same = [s for s in copied if s.messages[-1]["content"].split()[:20] == text.split()[:20]]
        assert len(same) == 3
        assert len({splits.of(s) for s in same} - {""}) == 1, "a copy in two splits"
    assert splits.counts["test"] and splits.counts["validation"]
    left_out = count_sides(everything, splits)[""]
    assert splits.dropped == ({"near_copy": left_out} if left_out else {})
    assert left_out == 0 or by != "dialogue"


def test_a_text_between_two_others_binds_both() -> None:
    """The third is a near copy of the first two, which are none of each other."""
    chance = random.Random(1)
    made = ["".join(chance.choices(ascii_lowercase, k=6)) for _ in range(76)]
    words, head, tail = made[:60], made[60:68], made[68:76]
    first, last = [*head, *words[8:]], [*words[:-8], *tail]
    index = CopyPairs(0.7)
    assert index.add_text(0, " ".join(first), "en") == []
    assert index.add_text(1, " ".join(last), "en") == []
    assert index.add_text(2, " ".join(words), "en") == [0, 1]
    assert index.add_text(3, " ".join(words).upper(), "en") == [2]
    assert index.add_text(2, " ".join(words), "en") == []
    assert index.add_text(4, "?!", "en") == [] == index.add_text(5, "...", "en")
    assert index.add_text(6, " ".join(first), "en") == [0]


def test_of_copies_in_training_and_test_the_test_loses(tmp_path: Path) -> None:
    text = make_text("everywhere", 60)
    samples = make_many(topics=10, talks=4, each=1)
    copies = [make_sample(f"t{t}c", f"topic{t}", text=text) for t in range(10)]
    splits = assign_splits(MadeRun(tmp_path, samples + copies), by="topic")
    sides = Counter(splits.of(c) for c in copies)
    assert set(sides) == {"train", ""}
    assert splits.dropped == {"near_copy": sides[""]}


def test_a_rejected_answer_counts_as_a_text(tmp_path: Path) -> None:
    shared = make_text("shared", 60)
    pairs = [make_pair(f"d{k}", rejected=shared if k % 2 else "", persona=f"p{k}") for k in range(40)]
    splits = assign_splits(MadeRun(tmp_path, pairs), by="dialogue")
    assert len({splits.of(p) for p in pairs[1::2]}) == 1
    assert len({splits.of(p) for p in pairs[::2]}) == 3
