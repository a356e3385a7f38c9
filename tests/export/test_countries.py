"""Countries held out whole, with everybody who talked with their people."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from culturepark.errors import ConfigError
from culturepark.export.splits import assign_splits
from tests.export.made import MadeRun, make_sample, make_talk, make_text


def test_a_held_out_country_is_the_test_and_who_talked_with_it_is_left_out(tmp_path: Path) -> None:
    arabs = [make_sample(f"mixed{k}", culture="arab") for k in range(6)]
    partners = [make_sample(f"mixed{k}", culture="korean", persona=f"k{k}") for k in range(6)]
    listener = make_sample("silent", culture="korean")
    rest = [make_sample(f"own{k}", culture="korean") for k in range(40)]
    talks = [*(make_talk(f"mixed{k}", "EGY", "KOR") for k in range(6)), make_talk("silent", "KOR", "EGY")]
    talks += [make_talk(f"own{k}", "KOR", "KOR") for k in range(40)]
    splits = assign_splits(MadeRun(tmp_path, [*arabs, *partners, listener, *rest], talks), held_out=["egy"])
    assert splits.by == "country"
    assert {splits.of(s) for s in arabs} == {"test"}
    assert {splits.of(s) for s in [*partners, listener]} == {""}
    assert splits.dropped == {"talk_with_held_out_country": 7}
    assert Counter(splits.of(s) for s in rest) == {"train": 36, "validation": 4}


def test_a_copy_of_a_held_out_countrys_answer_leaves_the_test(tmp_path: Path) -> None:
    text = make_text("both", 60)
    arabs = [make_sample(f"a{k}", culture="arab", text=text if k == 0 else "") for k in range(10)]
    koreans = [make_sample(f"k{k}", culture="korean", text=text if k == 0 else "") for k in range(40)]
    splits = assign_splits(MadeRun(tmp_path, arabs + koreans), held_out=["EGY"], validation=0.0)
    assert splits.of(koreans[0]) == "train" and splits.of(arabs[0]) == ""
    assert splits.counts == {"train": 40, "validation": 0, "test": 9}


def test_a_country_that_everybody_talked_with_cannot_be_held_out(tmp_path: Path) -> None:
    samples = [make_sample(f"d{k}", culture=c, persona=f"{c}{k}") for k in range(9) for c in ("arab", "korean")]
    run = MadeRun(tmp_path, samples, [make_talk(f"d{k}", "EGY", "KOR") for k in range(9)])
    with pytest.raises(ConfigError, match="nothing is left to train on without EGY"):
        assign_splits(run, held_out=["EGY"])
