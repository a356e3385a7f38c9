"""A TRL script of one's own that takes only the data set, and watches how near the model comes to the survey.

python examples/trl_script.py outputs/RUN arab BASE_MODEL models/own
"""

from __future__ import annotations

import sys

from culturepark import SurveyFitCallback, load_run, sft_dataset


def main(folder: str, culture: str, base_model: str, out: str, steps: int = 100) -> None:
    """Train with TRL's own defaults and report survey fit at each evaluation."""
    import torch
    from peft import LoraConfig
    from trl import SFTConfig, SFTTrainer

    run = load_run(folder)
    trainer = SFTTrainer(
        model=base_model,
        args=SFTConfig(
            output_dir=out,
            max_steps=steps,
            eval_strategy="steps",
            eval_steps=max(1, steps // 4),
            save_strategy="no",
            learning_rate=1e-3,
            per_device_train_batch_size=2,
            max_length=256,
            report_to="none",
            bf16=torch.cuda.is_available(),
            use_cpu=not torch.cuda.is_available(),
        ),
        train_dataset=sft_dataset(run, culture, "train"),
        eval_dataset=sft_dataset(run, culture, "test"),
        peft_config=LoraConfig(r=8, target_modules="all-linear", task_type="CAUSAL_LM"),
        callbacks=[SurveyFitCallback(culture, run=run, probes=4)],
    )
    trainer.train()
    trainer.save_model(out)


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    main(*sys.argv[1:])
