"""What a person who watches a run should know and do: read from its curves and from the gauges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from forge_tui.axes import value_text
from forge_tui.curves import Curve
from forge_tui.runs.view import RunView
from profiles.hardware import Gpu, Hardware

# A GPU that is read every five seconds has been idle for a minute.
_IDLE_READINGS = 12
_IDLE_PERCENT = 30
_NEARLY_FULL = 0.04
_LEAST_STEPS = 20
_EVALUATIONS_WORSE = 3
_WORSE, _DIVERGED = 1.02, 2.0
LESS_MEMORY = "halve per_device_train_batch_size and double gradient_accumulation_steps, or checkpoint activations"


@dataclass(frozen=True)
class Notice:
    """What is the matter, and what to do."""

    what: str
    do: str

    @property
    def sentence(self) -> str:
        """Both in one line."""
        return f"{self.what}: {self.do}"


def curve_notices(view: RunView) -> list[Notice]:
    """What the curves tell: a loss that is no number, that runs away, or that only falls on what was learned."""
    curves = view.step_curves
    train, evaluation = curves.get("loss"), curves.get("eval_loss")
    found = []
    if train is not None and _diverges(train):
        low, now = train.minimum, train.latest
        assert low is not None and now is not None
        found.append(
            Notice(
                f"diverging: the loss is {value_text(now.y)}, and was {value_text(low.y)} at step {low.x:,.0f}",
                "stop (s) and lower learning_rate to a third",
            )
        )
    if evaluation is not None:
        found += _overfitting(train, evaluation)
    return found


def _diverges(loss: Curve) -> bool:
    low, latest, bounds = loss.minimum, loss.latest, loss.bounds()
    if low is None or latest is None or bounds is None or loss.points_after(bounds.left) < _LEAST_STEPS:
        return False
    columns = [column for column in loss.columns(20, bounds.left, bounds.right) if column is not None]
    last = columns[-1].low
    return low.y > 0 and last > _DIVERGED * low.y and last > 0.8 * columns[0].low


def _overfitting(train: Curve | None, evaluation: Curve) -> list[Notice]:
    lowest, latest = evaluation.minimum, evaluation.latest
    best = None if lowest is None else evaluation.last_under(lowest.y * _WORSE)
    if best is None or latest is None or evaluation.points_after(best.x) < _EVALUATIONS_WORSE:
        return []
    then, now = (train.at(best.x), train.latest) if train is not None else (None, None)
    told = f"evaluation loss {value_text(best.y)} then, {value_text(latest.y)} now"
    if then is not None and now is not None and now.y < then.y:
        return [
            Notice(
                f"overfitting since step {best.x:,.0f} ({told})",
                "stop (s) and use the best checkpoint, or train shorter or on more rows",
            )
        ]
    return [Notice(f"no better since step {best.x:,.0f} ({told})", "stop (s), or lower learning_rate")]


def gauge_notices(history: Sequence[Gpu], hardware: Hardware, is_training: bool) -> list[Notice]:
    """What the gauges tell: a GPU that waits, and memory that is nearly full."""
    found = []
    recent = [gpu.utilization_percent for gpu in history[-_IDLE_READINGS:]]
    known = [percent for percent in recent if percent is not None]
    if is_training and len(known) == _IDLE_READINGS and sum(known) / len(known) < _IDLE_PERCENT:
        found.append(
            Notice(
                f"GPU {history[-1].index} was busy {sum(known) / len(known):.0f}% of the last minute",
                "it waits for data: raise dataloader_num_workers, or per_device_train_batch_size",
            )
        )
    last = history[-1] if history else None
    if last is not None and last.memory_total_bytes and last.memory_free_bytes is not None:
        if last.memory_free_bytes < _NEARLY_FULL * last.memory_total_bytes:
            found.append(Notice(f"the memory of GPU {last.index} is nearly full", LESS_MEMORY))
    total, free = hardware.memory_total_bytes, hardware.memory_available_bytes
    if total and free is not None and free < _NEARLY_FULL * total:
        found.append(Notice("the memory of the machine is nearly full", "end what you do not need, or use fewer rows"))
    return found
