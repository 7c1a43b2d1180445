"""Models as lines and as JSON: the table of the catalog, and one model with everything that is known of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from forge_tui.formatting import gibibytes
from profiles.catalog import Model
from profiles.catalog_order import TOO_LARGE, Standing, bits
from profiles.fit import FITS, TIGHT
from profiles.model_fit import ModelFit

HEADER = ("model", "params", "tokens", "weights", "fit", "licence")
LOCAL_MARK = " *"
_NARROWEST_NAME = 20
_READS_NO_TEXT = ("trees", "image", "detector", "speech", "video")


def model_json(model: Model, stands: Standing, local: bool, fit: ModelFit) -> dict[str, Any]:
    """The object of a model in `models --json`; what is unknown is null."""
    content = asdict(model)
    for name in ("tasks", "knows", "languages"):
        content[name] = list(content[name])
    content["license"], content["open_license"] = content.pop("licence"), content.pop("open_licence")
    if model.shape is not None:
        content["shape"] = _known(content["shape"])
    return {
        **content,
        "weights_bytes": stands.weights_bytes,
        "local": local,
        "fit": fit.verdict,
        "fit_method": fit.method,
    }


def _known(shape: dict[str, Any]) -> dict[str, Any]:
    """A shape has many sizes that only other kinds of networks have: those are left out."""
    inner = {key: value for key, value in shape.items() if value is not None}
    return {key: _known(value) if isinstance(value, dict) else value for key, value in inner.items()}


def model_rows(
    models: Iterable[tuple[Model, Standing, bool, ModelFit]], width: int | None = None
) -> list[tuple[str, ...]]:
    """The rows of the table; on a terminal of `width` columns long names go without their owner and are cut."""
    rows = [_row(*each) for each in models]
    if width is None:
        return rows
    marks = [max(len(row[index]) for row in (HEADER, *rows)) for index in range(1, len(HEADER))]
    room = max(_NARROWEST_NAME, width - sum(mark + 2 for mark in marks))
    return [(_short(row[0], room), *row[1:]) for row in rows]


def _row(model: Model, stands: Standing, local: bool, fit: ModelFit) -> tuple[str, ...]:
    return (
        f"{model.id}{LOCAL_MARK}" if local else model.id,
        parameters_text(model.parameters),
        "-" if model.kind in _READS_NO_TEXT else tokens_text(model.context),
        "?" if stands.weights_bytes is None else gib_text(stands.weights_bytes),
        _mark(fit),
        model.licence or ("-" if model.id.startswith("preset:") else "?"),
    )


def _mark(fit: ModelFit) -> str:
    if fit.verdict == FITS:
        return "slow" if fit.is_slow else str(fit.method)
    return {TIGHT: "tight", TOO_LARGE: "too large"}.get(str(fit.verdict), "?")


def _short(name: str, room: int) -> str:
    if len(name) > room:
        name = name.rpartition("/")[2]
    mark = LOCAL_MARK if name.endswith(LOCAL_MARK) else ""
    return name if len(name) <= room else f"{name[: room - 1 - len(mark)]}…{mark}"


def gib_text(count: int) -> str:
    """`14.2 GiB`, `0.04 GiB`."""
    size = count / 2**30
    return f"{size:.1f} GiB" if size >= 0.95 else f"{max(size, 0.01):.2f} GiB"


def parameters_text(count: int | None) -> str:
    """`7.6B`, `135M`, `4.4M`; `?` when unknown."""
    if count is None:
        return "?"
    for unit, size in (("B", 10**9), ("M", 10**6), ("K", 10**3)):
        if count >= 0.9995 * size:  # 1.0B, not 1000M
            value = count / size
            return f"{value:.0f}{unit}" if value >= 100 else f"{value:.1f}{unit}"
    return str(count)


def tokens_text(count: int | None) -> str:
    """`512`, `8k`, `128k` (of 1,024 each); `?` when unknown or when the model reads no text."""
    if count is None:
        return "?"
    return f"{count // 1024}k" if count >= 1024 else str(count)


def model_lines(model: Model, stands: Standing, folder: str | None, fit: ModelFit) -> list[str]:
    """Everything that is known of a model, a line each."""

    def known(value: object) -> str:
        if isinstance(value, bool):
            return "yes" if value else "no"
        return "unknown" if value is None else f"{value:,}" if isinstance(value, int) else str(value)

    size = "unknown"
    if stands.weights_bytes is not None:
        size = f"{gib_text(stands.weights_bytes)} in {bits(model)} bits"
    facts: list[tuple[str, str]] = [
        ("kind", model.kind),
        ("good for", ", ".join(model.tasks)),
        ("parameters", known(model.parameters)),
        ("weights", size),
        ("fit", _fit(stands, fit)),
        ("tokens", known(model.context)),
        ("licence", _licence(model)),
        ("gated", known(model.gated)),
        ("chat template", known(model.chat_template)),
        ("instructions", known(model.instruct)),
        ("languages", ", ".join(model.languages) or "unknown"),
        ("published", "unknown" if model.published is None else str(model.published)),
        ("on this machine", folder or "no"),
        ("source", model.source),
    ]
    if model.active_parameters is not None:
        facts.insert(3, ("active", f"{model.active_parameters:,} on each token"))
    if model.knows:
        facts.insert(2, ("has learned", ", ".join(model.knows)))
    lines = [model.id, *(f"{name:<16} {text}" for name, text in facts)]
    if model.shape is not None:
        lines.append(f"{'shape':<16} {_shape_text(_known(asdict(model.shape)))}")
    lines += [f"{'note':<16} {model.note}"] if model.note else []
    return lines + ([f"{'advice':<16} {model.verdict}"] if model.verdict else [])


def _fit(stands: Standing, fit: ModelFit) -> str:
    if stands.fit == TOO_LARGE:
        return f"too large: not even its weights fit into {gibibytes(stands.free_bytes)} GiB"
    if fit.verdict is None:
        return "unknown"
    if fit.verdict == FITS:
        slow = "; it would take very long without a GPU" if fit.is_slow else ""
        return f"fits by {fit.method}, a row at a time; more: forge-tui estimate --model NAME{slow}"
    how = "only without the margin of the estimate" if fit.verdict == TIGHT else "too large"
    return f"{how}, even by {fit.method} and a row at a time"


def _licence(model: Model) -> str:
    if model.licence is None:
        return "unknown"
    told = {True: "open, also for commercial use", False: "with conditions: read it", None: "unknown conditions"}
    return f"{model.licence} ({told[model.open_licence]})"


def _shape_text(shape: dict[str, Any]) -> str:
    parts: Sequence[str] = [
        f"{key} ({_shape_text(value)})" if isinstance(value, dict) else f"{key} {value}" for key, value in shape.items()
    ]
    return ", ".join(parts)
