"""The models that a run could start from, each with the plan it would lead to: memory, verdict, time, where it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from backends.contract import DatasetProfile, ForgeError
from backends.registry import find_task, is_trained
from forge_tui.formatting import duration
from forge_tui.memory_report import components_text, verdict_text
from forge_tui.model_choice import is_local
from forge_tui.model_text import gib_text, parameters_text, tokens_text
from forge_tui.plan_sizes import download_bytes
from forge_tui.planning import Plan, Request, make_plan
from profiles.catalog import models_for
from profiles.catalog_order import TOO_LARGE, ordered
from profiles.hardware import Hardware
from profiles.methods import methods_for
from profiles.options import gib, is_preset
from profiles.strategies import SORTING, find_strategy

_BAR = 5
_LEAST_NAME = 19


@dataclass(frozen=True)
class ModelRow:
    """A model with its plan; `label` says what it is beside the recommended one, `reason` why one would take it."""

    id: str
    plan: Plan
    methods: tuple[str, ...]
    is_recommended: bool = False
    label: str = ""
    reason: str = ""

    @property
    def method(self) -> str:
        """How it would be trained."""
        return self.plan.recommendation.method.id

    @property
    def verdict(self) -> str | None:
        """Whether it fits; what not even one row at a time fits is too large."""
        return TOO_LARGE if self.plan.is_too_large else self.plan.memory.verdict


@dataclass(frozen=True)
class Wanted:
    """What the rows are made for; `methods` are those chosen for single models, `own` is a folder of one's own."""

    request: Request
    profile: DatasetProfile
    hardware: Hardware | None
    methods: Mapping[str, str]
    own: str | None = None


def model_rows(wanted: Wanted) -> Iterator[ModelRow]:
    """The recommended model first, then one's own, what is on this machine, the alternatives, and the rest in order."""
    first = make_plan(replace(wanted.request, model=None, method=None), wanted.hardware, wanted.profile)
    found = first.recommendation
    others = {each.model.id: each for each in found.alternatives if each.model is not None}
    recommended = found.model.id
    if recommended in wanted.methods:
        yield _row(recommended, _plan(wanted, recommended) or first, True, "", found.model_reason)
    else:
        yield _row(recommended, first, True, "", found.model_reason)
    known = list(models_for(first.task.id))
    known = list(ordered(known, wanted.hardware)) if wanted.hardware is not None else known
    usual = find_task(first.task.id).default_model if is_trained(first.task.id) else None
    local = sorted(
        (each.id for each in known if is_local(each)), key=lambda name: (not name.startswith("preset:"), name != usual)
    )
    names = [*([wanted.own] if wanted.own else []), *local, *others, *(each.id for each in known)]
    for name in dict.fromkeys(names):
        made = _plan(wanted, name) if name != recommended else None
        if made is None:
            continue
        other = others.get(name)
        model = made.recommendation.model
        reason = other.reason if other is not None else ". ".join(each for each in (model.verdict, model.note) if each)
        yield _row(name, made, False, other.label if other is not None else "", reason)


def row_of(plan: Plan, chosen: str | None) -> ModelRow:
    """The row of a plan that is known already, with the model that was chosen or the recommended one."""
    found = plan.recommendation
    return _row(chosen or found.model.id, plan, chosen is None, "", found.model_reason)


def _plan(wanted: Wanted, name: str) -> Plan | None:
    """The plan with a model; None for one that cannot be trained for the task at all."""
    try:
        return make_plan(
            replace(wanted.request, model=name, method=wanted.methods.get(name)), wanted.hardware, wanted.profile
        )
    except ForgeError:
        return None


def _row(name: str, plan: Plan, is_recommended: bool, label: str, reason: str) -> ModelRow:
    model = plan.recommendation.model
    able = methods_for(plan.task.id, model.kind, plan.device.gpu, not is_preset(model))
    return ModelRow(name, plan, tuple(each.id for each in able), is_recommended, label, reason)


# --- as text -------------------------------------------------------------------------------------------------------


def header(width: int) -> str:
    """The heads over `row_text`."""
    name = _name_width(width)
    return f"{'model':<{name}} {'params':>6} {'method':<7} {'memory':>8} {'':<{_BAR}} {'':<9} {'time':<7} where"


def _name_width(width: int) -> int:
    return max(_LEAST_NAME, width - 58)


def row_text(row: ModelRow, width: int) -> str:
    """`Qwen2.5-7B   7.6B  qlora   11.4 GiB ██████   fits   20-60m   15 GiB`, in at most `width` columns."""
    room = _name_width(width)
    model, memory = row.plan.recommendation.model, row.plan.memory
    total = memory.total_bytes
    size = "?" if total is None else gib(total)
    verdict = "too large" if row.verdict == TOO_LARGE else row.verdict or "unknown"
    name = row.id if len(row.id) <= room else row.id.rstrip("/").rpartition("/")[2]
    name = name if len(name) <= room else f"{name[: room - 1]}…"
    size_of = "-" if is_preset(model) and model.parameters is None else parameters_text(model.parameters)
    return (
        f"{name:<{room}} {size_of:>6} {row.method[:7]:<7} {size:>8} "
        f"{bar(row.plan):<{_BAR}} {verdict:<9} {time_range(row.plan):<7} {_where(row)}"
    ).rstrip()


def bar(plan: Plan, width: int = _BAR) -> str:
    """How much of what is free it takes."""
    total, free = plan.memory.total_bytes, plan.memory.free_bytes
    if total is None or not free:
        return ""
    filled = min(width, max(1, round(width * total / free)))
    return "█" * filled + "░" * (width - filled)


def time_range(plan: Plan) -> str:
    """`20-60m`, `1-3h`; nothing where it is not known."""
    time = plan.time.duration
    if time is None:
        return "?"
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if time.high >= 2 * size:
            low = time.low / size
            return f"{low:.0f}-{time.high / size:.0f}{unit}" if low >= 0.95 else f"<1-{time.high / size:.0f}{unit}"
    return f"{time.low:.0f}-{time.high:.0f}s"


def _where(row: ModelRow) -> str:
    model = row.plan.recommendation.model
    if is_preset(model):
        return "built in"
    if row.plan.recommendation.is_local:
        return "here"
    if model.gated:
        return "gated"
    size = download_bytes(model, False)
    return gib_text(size) if size else "download"


def detail(row: ModelRow) -> tuple[str, ...]:
    """Everything that helps to choose: why, memory by component, what would make it fit, licence, how to get it."""
    plan = row.plan
    model, memory = plan.recommendation.model, plan.memory
    what = "recommended" if row.is_recommended else row.label
    lines = [f"{row.id}{f' ({what})' if what else ''}, {row.method}: {plan.recommendation.method.what}"]
    if row.reason:
        lines.append(f"why      {row.reason}")
    strategy = plan.recommendation.strategy
    if strategy.id is not None and plan.task.id == SORTING:
        lines.append(f"how      {strategy.id}: {find_strategy(strategy.id).what}")
    if memory.components:
        lines.append(f"memory   {verdict_text(memory)}: {components_text(memory)}")
    if memory.cheapest is not None:
        change = memory.cheapest
        lines.append(f"         It fits with {change.what}: {gib(change.total_bytes)}; it costs {change.costs}")
    if plan.time.duration is not None:
        time = plan.time.duration
        lines.append(f"time     {duration(time.low)} to {duration(time.high)}; {plan.time.reason}")
    licence = model.licence or ("-" if is_preset(model) else "unknown")
    terms = {True: " (open)", False: " (with conditions: read it)", None: ""}[model.open_licence]
    facts = [f"licence {licence}{terms}"]
    if model.context is not None:
        facts.append(f"reads {tokens_text(model.context)} tokens")
    if len(row.methods) > 1:
        facts.append(f"methods {', '.join(row.methods)} (m)")
    lines.append(f"facts    {'; '.join(facts)}")
    if not plan.recommendation.is_local:
        size = download_bytes(model, False)
        told = f": {gib(size)} or more" if size else ""
        lines.append(f"get it   the run downloads it from the hub{told}; its exact size is shown before the start")
    lines += [f"! {warning}" for warning in plan.recommendation.warnings]
    return tuple(lines)
