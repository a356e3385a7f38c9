"""The training curve: which figures are read from the log, and that the picture is well-formed and in its frame."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from culturepark.training.curve import draw_curve, read_series

LOG = [
    {"step": 0, "eval_test_loss": 3.1, "eval_runtime": 0.2},
    {"step": 1, "loss": 3.0, "learning_rate": 1e-4},
    {"step": 2, "loss": float("nan")},
    {"step": 4, "loss": 1.5},
    {"step": 4, "eval_test_loss": 2.0},
    {"step": 4, "train_loss": 2.2},
]


def test_losses_are_read_by_name() -> None:
    assert read_series(LOG) == {"training": [(1, 3.0), (4, 1.5)], "test": [(0, 3.1), (4, 2.0)]}
    assert set(read_series(LOG, "dpo")) == {"dpo training", "dpo test"}


@pytest.mark.parametrize("series", [read_series(LOG), {}, {"training": [(0.0, 2.0)]}, {"a": [(1, 5), (2, 5)]}])
def test_the_picture_is_svg_and_stays_in_its_frame(series: dict[str, list[tuple[float, float]]]) -> None:
    picture = draw_curve(series, 'loss of "a" < b & c')
    root = ElementTree.fromstring(picture)
    places = [pair for line in re.findall(r'points="([^"]*)"', picture) for pair in line.split()]
    assert len(places) == sum(len(line) for line in series.values())
    for x, y in (map(float, place.split(",")) for place in places):
        assert 60 <= x <= 700 and 44 <= y <= 352
    assert 'loss of "a" < b & c' in "".join(root.itertext())


def test_a_lower_loss_is_drawn_lower() -> None:
    picture = draw_curve({"training": [(0, 3.0), (10, 1.0)]}, "t")
    first, last = re.findall(r'points="([^"]*)"', picture)[0].split()
    assert float(first.split(",")[1]) < float(last.split(",")[1])
