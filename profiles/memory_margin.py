"""How far an estimate may be from what is measured: for each family learned from published peaks, never a constant."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from profiles.catalog import Shape
from profiles.training_setup import PROMPTS, Training

_ENCODERS = (
    *("bert", "roberta", "xlm-roberta", "camembert", "mpnet", "electra", "distilbert", "albert", "deberta-v2"),
    "modernbert",
)
_SEERS = ("vit", "dinov2", "dinov3_vit", "timm")


@dataclass(frozen=True)
class Margin:
    """What to add to an estimate, as a share of it; `rows` published peaks of its own family it was learned from.

    `grade` A: the configuration of those is known, B: partly.
    """

    share: float
    rows: int
    family: str
    grade: str = "A"


def family_of(shape: Shape, setup: Training) -> str:
    """The family whose errors are alike: by kind of network, and for language models by what learns."""
    if shape.architecture in _ENCODERS:
        return "encoder"
    if shape.architecture in _SEERS:
        return "vision"
    if shape.architecture in ("t5", "mt5", "bart", "mbart", "marian", "pegasus", "m2m_100"):
        return "encoder-decoder"
    if shape.architecture in ("whisper", "wav2vec2", "hubert"):
        return "speech"
    if shape.architecture in ("videomae", "timesformer"):
        return "video"
    if shape.architecture == "detector":
        return "detection"
    if shape.vision is not None:
        return "vision-language"
    if setup.method == "qlora":
        return "language, 4 bits"
    return "language, adapters" if setup.adapts or setup.method in PROMPTS else "language, all weights"


def margin_of(shape: Shape, setup: Training) -> Margin:
    """The margin of a family; one without published peaks gets the widest of all."""
    family = family_of(shape, setup)
    known = _families()
    if family in known:
        return known[family]
    return Margin(max(each.share for each in known.values()), 0, family)


@cache
def _families() -> dict[str, Margin]:
    tables = tomllib.loads(Path(__file__).with_name("memory_margin.toml").read_text(encoding="utf-8"))
    return {
        each["name"]: Margin(each["margin"], each["rows"], each["name"], each["grade"]) for each in tables["family"]
    }
