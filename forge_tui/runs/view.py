"""Everything a monitor shows of a run, kept up to date from its event log in constant memory."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from backends.contract import RunFiles, read_json
from forge_tui.curves import Curve
from forge_tui.plain import plain
from forge_tui.runs import readings
from forge_tui.runs.drawn import Drawing, DrawnCurves
from forge_tui.runs.foreign import EventLog, StateLog

CHUNK_BYTES = 1 << 17
LINES_KEPT = 500
SAMPLES_KEPT = 40
# Samples whose answers are longer together take a line for each.
_SHORT_SAMPLE = 60
_RECENT_STEPS = 50
# What the training loop reports beside the metrics of the model, shown only on request.
BOOKKEEPING = ("learning_rate", "grad_norm")


@dataclass
class _Drawn:
    """Curves with their own place in the log."""

    curves: DrawnCurves
    source: EventLog | StateLog

    def read(self, most: int) -> bool:
        """Take in the next bytes; whether there is more to read at once."""
        for event in self.source.read(most):
            self.curves.apply(event)
        return self.source.behind


@dataclass
class RunView:
    """The state of one run as its events tell it."""

    files: RunFiles
    source: EventLog | StateLog | None = None
    phase: str | None = None
    phase_done: int | None = None
    phase_total: int | None = None
    step: int | None = None
    total_steps: int | None = None
    epoch: float | None = None
    values: dict[str, float] = field(default_factory=dict)
    rate: float | None = None
    peak_bytes: int | None = None
    warning: str | None = None
    error: Mapping[str, Any] | None = None
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=LINES_KEPT))
    lines_seen: int = 0
    events_seen: int = 0
    first_time: float | None = None
    last_time: float | None = None
    _training_since: tuple[float, int] | None = None
    _recent: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=_RECENT_STEPS))
    samples: deque[Mapping[str, Any]] = field(default_factory=lambda: deque(maxlen=SAMPLES_KEPT))
    _steps: DrawnCurves = field(default_factory=DrawnCurves)
    _drawn: _Drawn | None = None
    _next: _Drawn | None = None

    @property
    def curves(self) -> dict[str, Curve]:
        """The curves as they are drawn now."""
        return (self._drawn.curves if self._drawn is not None else self._steps).curves

    @property
    def step_curves(self) -> dict[str, Curve]:
        """The curves over all steps as they were measured, whatever is drawn."""
        return self._steps.curves

    def read_more(self, most: int = CHUNK_BYTES) -> bool:
        """Take in the next bytes of the log; whether there is more to read at once."""
        if self.source is None:
            self.source = EventLog(self.files.events)
        for event in self.source.read(most):
            self.apply(event)
        return self._draw_more(most) or self.source.behind

    def draw(self, drawing: Drawing) -> None:
        """Draw in another way from now on: the log is read again, and the old curves stay until that is done."""
        if drawing == self.drawing:
            return
        if drawing == Drawing():  # these are always there
            self._drawn = self._next = None
            self.events_seen += 1
        elif self.source is not None:
            self._next = _Drawn(DrawnCurves(drawing), self.source.fork())

    @property
    def drawing(self) -> Drawing:
        """How the curves are drawn, or will be as soon as the log is read."""
        wanted = self._next or self._drawn
        return Drawing() if wanted is None else wanted.curves.drawing

    def _draw_more(self, most: int) -> bool:
        """Read on for what is drawn, with a place in the log of its own; whether there is more to read at once."""
        if self._next is not None and not self._next.read(most):
            self._drawn, self._next = self._next, None
            self.events_seen += 1
        behind = self._drawn is not None and self._drawn.read(most)
        return behind or self._next is not None

    def apply(self, event: Mapping[str, Any]) -> None:
        """Take in one event."""
        self.events_seen += 1
        moment = readings.moment(event)
        if moment is not None:
            self.first_time = self.first_time or moment
            self.last_time = moment
        handler = getattr(self, f"_on_{event['kind']}", None)
        if handler is not None:
            handler(event)

    def _on_attempt(self, event: Mapping[str, Any]) -> None:
        """A new attempt does the steps after its checkpoint again: what was seen of them is dropped."""
        start, attempt = readings.whole(event.get("from_step")) or 0, readings.whole(event.get("n")) or 1
        self._steps.apply(event)
        self.step = start or None
        self.error = self.warning = None
        self._training_since = None
        self._recent.clear()
        if attempt > 1:
            self._line(event, f"attempt {attempt} from step {start:,}")

    def _on_phase(self, event: Mapping[str, Any]) -> None:
        self.phase = str(event.get("name"))
        self.phase_done = self.phase_total = None
        self._line(event, self.phase)

    def _on_progress(self, event: Mapping[str, Any]) -> None:
        self.phase_done = readings.whole(event.get("done"))
        self.phase_total = readings.whole(event.get("total"))

    def _on_metrics(self, event: Mapping[str, Any]) -> None:
        step = readings.whole(event.get("step"))
        if step is None:
            return
        self.step, self.total_steps = step, readings.whole(event.get("total_steps"))
        self.epoch = readings.number(event.get("epoch"))
        self.rate = readings.number(event.get("samples_per_second")) or self.rate
        values = readings.values(event.get("values"))
        before = {name: curve.latest for name, curve in self._steps.curves.items()}
        self._steps.apply(event)
        for name, value in values.items():
            if name not in self._steps.curves:
                continue
            if math.isfinite(value):
                self.values[name] = value
            elif (known := before.get(name)) is None or math.isfinite(known.y):
                self.warning = plain(f"{name} is not a number since step {step:,}: lower the learning rate")
        if self.last_time is not None:
            self._training_since = self._training_since or (self.last_time, step)
            self._recent.append((self.last_time, step))
        if "eval_loss" in values and len(values) > 2:
            told = "  ".join(f"{name} {value:.4g}" for name, value in values.items() if name not in BOOKKEEPING)
            self._line(event, f"step {step:,}  {told}")

    def _on_checkpoint(self, event: Mapping[str, Any]) -> None:
        self._line(event, f"saved checkpoint {event.get('step')}")

    def _on_memory(self, event: Mapping[str, Any]) -> None:
        self.peak_bytes = readings.whole(event.get("peak_bytes"))

    def _on_sample(self, event: Mapping[str, Any]) -> None:
        self.samples.append(event)
        is_right = event.get("output") == event.get("expected")
        mark = "✓" if is_right else "·" if "rmse" in self.values else "✗"  # of a number, near is not wrong
        output, expected, told = (str(event.get(key)) for key in ("output", "expected", "input"))
        if len(output) + len(expected) < _SHORT_SAMPLE:
            self._line(event, f"{mark} {output} (expected {expected}): {told[:80]}")
        else:  # one below the other, so that both can be seen
            self._line(event, f"{mark} {output}")
            self._line(event, f"  expected: {expected}")

    def _on_notice(self, event: Mapping[str, Any]) -> None:
        message = plain(str(event.get("message")))
        if event.get("level") == "warning":
            self.warning = message
        self._line(event, message)

    def _on_error(self, event: Mapping[str, Any]) -> None:
        self.error = event
        self._line(event, f"✗ {event.get('what')}: {event.get('why')}")

    def _line(self, event: Mapping[str, Any], text: str) -> None:
        moment = readings.moment(event)
        clock = "--:--:--" if moment is None else datetime.fromtimestamp(moment).strftime("%H:%M:%S")
        self.lines.append(f"{clock} {plain(text)}")
        self.lines_seen += 1

    @property
    def share(self) -> float | None:
        """How much of the training is done, 0 to 1."""
        return min(1.0, self.step / self.total_steps) if self.step is not None and self.total_steps else None

    def seconds_left(self) -> tuple[float, float] | None:
        """A range: by the pace of the whole attempt and by that of the latest steps; None while unknown."""
        if not (self.step and self.total_steps and self._training_since and len(self._recent) > 1):
            return None
        left = self.total_steps - self.step
        estimates = []
        for since, begin in (self._training_since, self._recent[0]):
            last_time, last_step = self._recent[-1]
            if last_step > begin and last_time > since:
                estimates.append(left * (last_time - since) / (last_step - begin))
        return (min(estimates), max(estimates)) if estimates else None

    def baseline(self) -> tuple[str, dict[str, float]] | None:
        """Name and scores of the baseline, once it is measured."""
        report = read_json(self.files.report) or {}
        found = readings.scores(report.get("baseline"))
        return (str(report.get("baseline_name")), found) if found else None
