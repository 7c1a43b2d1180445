"""The end of a run: report.json, a model card and the `finished` event."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backends.contract import read_json
from backends.job import Job
from backends.registry import lower_is_better

if TYPE_CHECKING:
    from backends.held_out import HeldOut

_REPORTED_PACKAGES = ("torch", "transformers", "peft", "xgboost", "scikit-learn", "seqeval", "numpy")


def finish(
    job: Job,
    *,
    metrics: Mapping[str, float],
    baseline: Mapping[str, float],
    baseline_name: str,
    training_seconds: float,
    details: Mapping[str, Any],
    by_type: Mapping[str, Mapping[str, float]] | None = None,
    held_out: HeldOut | None = None,
) -> None:
    """Write the report and the model card, then say that the run finished.

    `by_type` are the scores of parts, `held_out` what was said of the evaluation rows.
    """
    peak = job.report_memory()
    if held_out is not None:
        write_predictions(job.files.predictions, held_out.rows)
    job.update_report(
        metrics=dict(metrics),
        baseline=dict(baseline),
        baseline_name=baseline_name,
        memory={"measured_peak_bytes": peak, "estimated_bytes": job.spec.estimate.get("total_bytes")},
        training_seconds=round(training_seconds, 3),
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        versions=_versions(),
        details=dict(details),
        **({"by_type": {name: dict(scores) for name, scores in by_type.items()}} if by_type else {}),
        **(held_out.counted if held_out is not None else {}),
    )
    job.files.readme.write_text(model_card(job, metrics, baseline, baseline_name, by_type or {}), encoding="utf-8")
    _say_when_beaten(job, metrics, baseline, baseline_name)
    job.events.phase("done")
    job.events.emit(
        "finished",
        metrics=dict(metrics),
        baseline=dict(baseline),
        model_path=str(job.files.model.relative_to(job.files.folder)),
    )


def write_predictions(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a JSON object a line for the owner alone, so that a reader never sees half of it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as stream:
            stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _say_when_beaten(job: Job, metrics: Mapping[str, float], baseline: Mapping[str, float], baseline_name: str) -> None:
    primary = job.task.metrics[0]
    ours, theirs = metrics[primary], baseline[primary]
    if (ours > theirs) if lower_is_better(primary) else (ours < theirs):
        job.events.notice(
            f"the simple {baseline_name} is better on these rows: {primary} {theirs:.4g} against {ours:.4g}; "
            "more rows or a pretrained model may turn that, otherwise use the simple one",
            "warning",
        )


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in _REPORTED_PACKAGES:
        if package.replace("scikit-learn", "sklearn") in sys.modules:
            try:
                found[package] = version(package)
            except PackageNotFoundError:
                continue
    return found


def model_card(
    job: Job,
    metrics: Mapping[str, float],
    baseline: Mapping[str, float],
    baseline_name: str,
    by_type: Mapping[str, Mapping[str, float]],
) -> str:
    """What the model is, what it was trained on and what it reached, in Markdown."""
    spec, data = job.spec, read_json(job.files.data) or {}
    rows = []
    for name, value in metrics.items():
        other = baseline.get(name)
        gain = "" if other is None else f"{value - other:+.4f}"
        rows.append(f"| {name} | {value:.4f} | {'unknown' if other is None else f'{other:.4f}'} | {gain} |")
    settings = "\n".join(
        f"- `{name}` = `{value}`" + (f": {spec.reasons[name]}" if name in spec.reasons else "")
        for name, value in spec.settings.items()
    )
    better = "lower" if lower_is_better(job.task.metrics[0]) else "higher"
    return f"""# {spec.name}

{job.task.title}: `{spec.task}`, method `{spec.method}`, base model `{spec.model}`.

Trained on `{data.get("path")}` (sha256 `{str(data.get("sha256"))[:16]}`): {data.get("train_rows")} rows to train,
{data.get("eval_rows")} rows held out. Roles: {", ".join(f"{role} = `{name}`" for role, name in spec.columns.items())}.

| metric | this model | {baseline_name} | difference |
|---|---|---|---|
{chr(10).join(rows)}

The first metric decides; {better} is better. All scores are on the held-out rows.
{_type_table(by_type)}
## Settings

{settings or "The defaults of the task."}

The whole request is in `spec.toml`; `forge-tui train spec.toml` repeats it.
"""


def _type_table(by_type: Mapping[str, Mapping[str, float]]) -> str:
    """A table with a row for each type, with an empty line around it; nothing where there are no types."""
    if not by_type:
        return ""
    names = list(next(iter(by_type.values())))
    rows = [f"| type | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for kind, scores in by_type.items():
        cells = (f"{value:,}" if isinstance(value, int) else f"{value:.4f}" for value in scores.values())
        rows.append(f"| {kind} | {' | '.join(cells)} |")
    return "\n" + "\n".join(rows) + "\n"
