"""Settings of trees on tables."""

from __future__ import annotations

from dataclasses import dataclass

from backends.options import option


@dataclass(frozen=True)
class TabularOptions:
    """Gradient-boosted trees; the names are XGBoost's where XGBoost has one."""

    n_estimators: int = option(1000, "boosting rounds at most; early stopping usually ends before", minimum=1)
    max_steps: int | None = option(None, "the same limit under the name the other tasks use", minimum=1)
    learning_rate: float = option(0.05, "share of each tree's correction that is kept", minimum=1e-6, maximum=1)
    max_depth: int = option(6, "questions a tree may ask in a row; deeper fits finer and overfits sooner", minimum=1)
    min_child_weight: float = option(1.0, "least weight of rows in a leaf; larger is smoother", minimum=0)
    subsample: float = option(0.8, "share of the rows each tree sees", minimum=0.01, maximum=1)
    colsample_bytree: float = option(0.8, "share of the columns each tree sees", minimum=0.01, maximum=1)
    reg_lambda: float = option(1.0, "L2 penalty on the leaf values", minimum=0)
    reg_alpha: float = option(0.0, "L1 penalty on the leaf values", minimum=0)
    early_stopping_rounds: int = option(
        50, "stop when the evaluation loss has not improved for so long; 0 never stops early", unit="rounds", minimum=0
    )
    eval_steps: int = option(10, "rounds between two scorings with the task's own metrics", unit="rounds", minimum=1)
    save_steps: int = option(200, "rounds between two checkpoints", unit="rounds", minimum=1)
    eval_fraction: float = option(0.2, "share of the rows held out for evaluation", minimum=0.01, maximum=0.9)
    seed: int = option(42, "seed of the split and of every random choice", minimum=0, maximum=2**31 - 1)
    nthread: int | None = option(None, "CPU threads; unset uses every core this process may use", minimum=1)
