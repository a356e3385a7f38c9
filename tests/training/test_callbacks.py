"""``SurveyFitCallback`` in a trainer that knows nothing of CulturePark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from culturepark.errors import ConfigError
from culturepark.export.dataset import sft_dataset
from culturepark.runs.folder import Run

pytestmark = pytest.mark.filterwarnings("ignore")


def test_a_plain_trl_script_reports_survey_fit_at_each_evaluation(
    run: Run, tiny: str, tmp_path: Path, lines: list[str]
) -> None:
    import trl

    from culturepark.training.callbacks import SurveyFitCallback

    watch: Any = SurveyFitCallback("arab", run=run, probes=2, say=lines.append)
    trainer = trl.SFTTrainer(
        model=tiny,
        args=trl.SFTConfig(
            output_dir=str(tmp_path),
            max_steps=4,
            per_device_train_batch_size=2,
            max_length=64,
            learning_rate=5e-2,
            eval_strategy="steps",
            eval_steps=2,
            save_strategy="no",
            report_to="none",
            use_cpu=True,
            bf16=False,
        ),
        train_dataset=sft_dataset(run, "arab", "train"),
        eval_dataset=sft_dataset(run, "arab", "test"),
        callbacks=[watch],
    )
    trainer.train()
    assert [entry["step"] for entry in watch.history] == [2, 4]
    assert watch.history[0]["distance"] != watch.history[1]["distance"]
    logged = [row["eval_survey_distance"] for row in trainer.state.log_history if "eval_survey_distance" in row]
    assert logged == [entry["distance"] for entry in watch.history]
    assert lines[0].startswith("survey (arab): step 2, distance 0.")
    assert not {p.topic.id for p in watch.probes} & set(sft_dataset(run, "arab", "train").unique("topic"))


def test_a_culture_without_figures_is_refused(tiny: str) -> None:
    from culturepark.training.callbacks import SurveyFitCallback

    with pytest.raises(ConfigError, match="unknown culture 'arba'"):
        SurveyFitCallback("arba")
    with pytest.raises(ConfigError, match="has no survey figures"):
        SurveyFitCallback("english")
