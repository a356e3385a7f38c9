"""The card of a trained model: where its data comes from, what its terms ask, what changed and what did not."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from culturepark.runs.folder import Run
from culturepark.training.story import trace_data, write_answers, write_model_card


@pytest.fixture
def copy(run: Run, tmp_path: Path) -> Run:
    shutil.copytree(run.path, tmp_path / "run")
    return Run(tmp_path / "run")


def tell(run: Run, **changes: Any) -> dict[str, Any]:
    """Facts of a training of this run."""
    settings = {"method": "sft", "epochs": 3.0, "max_steps": 0, "learning_rate": 2e-4, "batch_size": 4, "accumulate": 1}
    settings |= {"max_length": 1024, "lora_r": 16, "lora_alpha": 32, "seed": 0}
    figures = {"distance": 0.3, "gap": 0.2}
    data = {**trace_data(run, "arab", {"chats": {"train": 9}}, 3), "held_out_topics": ["work_as_duty"], "split": "x"}
    return {
        "base_model": "org/model",
        "base_model_given": "org/model",
        "method": "sft",
        "quantised": False,
        "steps": 7,
        "losses": [("training", 4.0, 3.0)],
        "survey_fit": {
            "probes": 4,
            "nearer": 1,
            "before": figures,
            "after": figures,
            "shift": {"distance": 0.0123, "gap": -0.0001},
        },
        "data": data,
        "languages": ["en"],
        "settings": settings,
        "versions": {"culturepark": "1"},
        "remarks": [],
        **changes,
    }


def test_the_licence_of_the_data_goes_with_the_model(copy: Run) -> None:
    assert "Licence of the data: not stated yet" in write_model_card(tell(copy), [])
    (copy.path / "README.md").write_text("---\nlicense: cc-by-nc-4.0\n---\n")
    assert "Licence of the data: cc-by-nc-4.0." in write_model_card(tell(copy), [])


def test_terms_that_bind_a_trained_model_are_named(copy: Run) -> None:
    copy.manifest["config"] |= {"model": "meta-llama/Llama-3.1-8B-Instruct", "refine_model": "nobody/knows-it"}
    card = write_model_card(tell(copy), [])
    assert "- meta-llama/Llama-3.1-8B-Instruct (" in card and "Llama" in card.split("- meta-llama")[1]
    assert "terms of the model nobody/knows-it are unknown" in card


def test_a_readme_of_somebody_else_does_not_end_a_training(copy: Run) -> None:
    (copy.path / "README.md").write_text("---\nlicense: a-licence-nobody-knows\n---\n")
    assert trace_data(copy, None, {}, 0)["licence"] == ""


def test_figures_say_what_was_done(copy: Run) -> None:
    card = write_model_card(tell(copy), [])
    assert "| +0.012 |" in card and "| 0.000 |" in card and "-0.000" not in card
    assert "epochs 3.0" in card and "General rows mixed in: 3." in card and "base_model: org/model" in card
    facts = tell(copy)
    facts["settings"]["max_steps"] = 7
    stopped = write_model_card(facts, [])
    assert "max_steps 7" in stopped and "epochs" not in stopped


def test_no_probes_no_answers_no_claims(copy: Run) -> None:
    card = write_model_card(tell(copy, survey_fit={"probes": 0}), [])
    assert "Jensen" not in card and "Likeliest" not in card


def test_answers_stay_in_their_cells() -> None:
    rows = [{"topic": "t", "question": "a | b?", "before": "x\n| y |", "after": "<script>"}]
    table = write_answers(rows).splitlines()
    assert len(table) == 3 and table[2] == r"| t | a \| b? | x \| y \| | &lt;script&gt; |"
