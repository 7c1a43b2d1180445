"""The models that are known by name: what each is made of, what it is good for and under which terms it is given.

One TOML file a family in `profiles/models/`; `docs/models.md` says what its keys mean.
"""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_type_hints

from backends.contract import UsageError, nearest
from backends.registry import TASK_DATA

_TEXT_TASKS = (
    "text-classification",
    "sentence-pair-classification",
    "text-regression",
    "token-classification",
    "extractive-question-answering",
)

# What a kind of model can do at all, by its heads; which of these a model is good for stands in its entry.
KIND_TASKS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "causal-lm": frozenset({"text-generation", "reward-modeling", "text-classification"}),
        "encoder": frozenset(_TEXT_TASKS),
        "encoder-decoder": frozenset({"summarization", "translation", "text-to-text"}),
        "vision-language": frozenset({"visual-question-answering", "text-generation"}),
        "image": frozenset({"image-classification"}),
        "detector": frozenset({"object-detection"}),
        "speech": frozenset({"speech-recognition"}),
        "video": frozenset({"video-classification"}),
        "trees": frozenset({"tabular-classification", "tabular-regression"}),
    }
)
KINDS = tuple(KIND_TASKS)

# Licences that permit commercial use without conditions worth a lawyer, and those with conditions or a ban on it.
OPEN_LICENCES = frozenset({"apache-2.0", "mit", "bsd-3-clause", "cc-by-4.0"})
CONDITIONAL_LICENCES = frozenset(
    {
        *("llama2", "llama3", "llama3.1", "llama3.2", "llama3.3", "llama4", "gemma", "falcon-llm", "dinov3-license"),
        *("qwen", "qwen-research", "cc-by-nc-4.0", "cc-by-sa-4.0", "bigscience-bloom-rail-1.0", "mrl"),
    }
)


@dataclass(frozen=True)
class Shape:
    """What a network is made of; sizes are numbers of units, and what it does not have or nobody knows is None.

    `architecture` is the model_type of Transformers, or `timm`. Of an encoder-decoder `layers` are the decoder's.
    `intermediate` is the width of a feed-forward layer, of a mixture of experts that of one expert.
    """

    architecture: str
    layers: int | None = None
    hidden: int | None = None
    intermediate: int | None = None
    heads: int | None = None
    kv_heads: int | None = None
    head_dim: int | None = None
    vocab: int | None = None
    tied_embeddings: bool | None = None
    experts: int | None = None
    experts_active: int | None = None
    expert_every: int | None = None  # experts in each so many-th layer; None: in all
    dense_intermediate: int | None = None  # of the layers without experts
    shared_intermediate: int | None = None  # of the expert that always works
    attention_bias: bool | None = None
    mlp_bias: bool | None = None
    gated_mlp: bool | None = None  # three matrices in a feed-forward layer instead of two
    embedding: int | None = None  # width of the word embeddings where it is not `hidden`
    positions: int | None = None  # learned places in a text
    token_types: int | None = None
    relative_buckets: int | None = None  # learned distances between words
    encoder_layers: int | None = None
    encoder_intermediate: int | None = None
    mel_bins: int | None = None  # of the sound that a speech model hears
    audio_positions: int | None = None
    layered_norms: bool | None = None  # of a speech model that hears the wave: a norm in each layer that listens
    image: int | None = None  # side of the input picture in pixels
    patch: int | None = None  # side of a patch in pixels
    registers: int | None = None  # tokens of a picture model to keep notes in
    frames: int | None = None  # of a video clip
    tubelet: int | None = None  # frames that make one patch
    merge: int | None = None  # side of the square of patches that becomes one token
    output: int | None = None  # width in which a part hands on what it saw
    taps: int | None = None  # layers of a vision part that hand on what they saw, beside the last
    vision: Shape | None = None  # the part of a vision-language model that sees


@dataclass(frozen=True)
class Model:
    """A model and what is known of it; parameters are counted singly, `context` is the longest input in tokens.

    `family` is the name of its TOML file, or of where it was found. `open_licence` says whether the licence permits
    commercial use without conditions worth a lawyer. `verdict` is one sentence of advice; a `first_choice` is what to
    try first among the models of its kind and size. `knows` are tasks that it was trained for already, `languages` the
    codes of those it was made for, `many` for about fifty and more; both are empty where that is not known.
    `published` is a year, and `download_bytes` the size of the published weights where they have fewer than 16 bits.
    """

    id: str
    family: str
    kind: str
    tasks: tuple[str, ...]
    source: str
    shape: Shape | None = None
    parameters: int | None = None
    active_parameters: int | None = None
    context: int | None = None
    licence: str | None = None
    open_licence: bool | None = None
    gated: bool | None = None
    chat_template: bool | None = None
    instruct: bool = False
    note: str | None = None
    verdict: str | None = None
    first_choice: bool = False
    knows: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    published: int | None = None
    lowercases: bool = False
    download_bytes: int | None = None

    @property
    def architecture(self) -> str | None:
        """The model_type of Transformers, where it is known."""
        return self.shape.architecture if self.shape is not None else None


def catalog() -> tuple[Model, ...]:
    """Every model of the catalog, family by family."""
    return _naming("")


def models_for(task: str) -> tuple[Model, ...]:
    """The models of the catalog that are good for a task."""
    return tuple(model for model in _naming(task) if task in model.tasks)


def find_model(id: str) -> Model:
    """The model of that hub id or preset; case does not matter, and the owner may be left out where one name has one.

    Raises UsageError with the nearest names.
    """
    wanted = id.strip().lower()
    found = [model for model in _naming(wanted) if model.id.lower() == wanted]
    found = found or [model for model in catalog() if _short(model.id).lower() == wanted]
    if len(found) == 1:
        return found[0]
    if found:
        names = " and ".join(model.id for model in found)
        raise UsageError(f"{id!r} names {len(found)} models", f"there are {names}", "Give the whole name.")
    presets = tuple(model.id for model in catalog() if model.id.startswith("preset:"))
    if wanted.startswith("preset:"):
        near = nearest(wanted, presets)
        fix = f"Correct it{near}." if near else "Choose one of them."
        raise UsageError(f"There is no model {id!r:.120}", f"the presets are {', '.join(presets)}", fix)
    close = near_models(id)
    raise UsageError(
        f"There is no model {id!r:.120} in the catalog",
        f"the nearest names are {', '.join(close)}" if close else "no name is like it",
        f"Write {close[0]}" if close else "Choose one of: forge-tui models",
    )


def is_known(id: str) -> bool:
    """Whether a model of exactly this id is in the catalog."""
    return any(model.id == id for model in _naming(id))


def near_models(id: str, most: int = 3) -> tuple[str, ...]:
    """The ids of the catalog that are most like a name, with or without its owner."""
    words = {name.lower(): model.id for model in catalog() for name in (_short(model.id), model.id)}
    close = difflib.get_close_matches(id.strip().lower()[:200], list(words), n=2 * most, cutoff=0.6)
    return tuple(dict.fromkeys(words[each] for each in close))[:most]


def weights_bytes(parameters: int, bytes_per_parameter: float) -> int:
    """The memory that weights alone take: no training, and no use either, takes less."""
    return math.ceil(parameters * bytes_per_parameter)


def bytes_to_download(model: Model) -> int | None:
    """The least that must be downloaded: weights are published in 16 bits or more, unless the catalog knows better."""
    if model.download_bytes is not None or model.parameters is None:
        return model.download_bytes
    return 2 * model.parameters


def open_licence(licence: str | None) -> bool | None:
    """Whether a licence permits commercial use without conditions worth a lawyer; None for one that is not known."""
    if licence in OPEN_LICENCES:
        return True
    return False if licence in CONDITIONAL_LICENCES else None


def _short(id: str) -> str:
    return id.rpartition("/")[2]


# --- reading -----------------------------------------------------------------------------------------------------


@cache
def _naming(word: str) -> tuple[Model, ...]:
    """The models of every family whose file names a word; parsing all files costs more than finding one name."""
    families = (path for path, text in _texts() if word.lower() in text.lower())
    return tuple(model for path in families for model in _family(path))


@cache
def _texts() -> tuple[tuple[Path, str], ...]:
    return tuple((path, _text_of(path)) for path in _files(Path(__file__).with_name("models")))


@cache
def _family(path: Path) -> tuple[Model, ...]:
    return read_family(path)


def read_catalog(folder: Path) -> tuple[Model, ...]:
    """The models of every TOML file in a folder, each id once; raises UsageError as `read_family` does."""
    models: dict[str, Model] = {}
    for path in _files(folder):
        for model in read_family(path):
            if model.id.lower() in models:
                where = f"{path}: {model.id}"
                raise UsageError(f"{where} stands twice", "an id names one model", "Take one of the entries out.")
            models[model.id.lower()] = model
    return tuple(models.values())


def read_family(path: Path) -> tuple[Model, ...]:
    """The models of one TOML file; what `[every]` says holds for each of its entries.

    Raises UsageError naming the file, the model and the key that is wrong, with the nearest valid one.
    """
    try:
        tables = tomllib.loads(_text_of(path))
    except ValueError as error:
        raise UsageError(f"{path} cannot be read", str(error), "Correct that file.") from None
    _check_names(tables, ("every", "model"), str(path))
    shared = _of_type(tables.get("every", {}), Mapping, f"{path}: [every]", "a table")
    models = []
    for entry in _of_type(tables.get("model", []), list, f"{path}: [[model]]", "a list of tables"):
        where = f"{path}: {_of_type(entry, Mapping, f'{path}: [[model]]', 'a table').get('id', 'a model')}"
        merged = {**shared, **entry}
        if isinstance(shared.get("shape"), Mapping) and isinstance(entry.get("shape"), Mapping):
            merged["shape"] = {**shared["shape"], **entry["shape"]}
        models.append(_model(merged, path.stem, where))
    return tuple(models)


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.toml"))


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read", str(error), "Correct that file.") from None


def _model(entry: Mapping[str, Any], family: str, where: str) -> Model:
    settable = tuple(each.name for each in fields(Model) if each.name not in ("family", "open_licence"))
    _check_names(entry, settable, where)
    for needed in (each.name for each in fields(Model) if each.default is MISSING and each.name != "family"):
        if needed not in entry:
            raise UsageError(f"{where} has no key {needed!r}", "every model needs it", f"Add {needed} to it.")
    lists = ("tasks", "knows", "languages")
    values = _typed(Model, {key: value for key, value in entry.items() if key not in (*lists, "shape")}, where)
    tasks = _of_type(entry["tasks"], list, f"{where}: tasks", "a list of tasks")
    _check_one_of(values["kind"], KINDS, f"{where}: kind")
    for task in tasks:
        _check_one_of(task, tuple(data.id for data in TASK_DATA), f"{where}: tasks")
        _check_one_of(task, sorted(KIND_TASKS[values["kind"]]), f"{where}: tasks of a model of kind {values['kind']}")
    knows = _of_type(entry.get("knows", []), list, f"{where}: knows", "a list of tasks")
    for task in knows:
        _check_one_of(task, tasks, f"{where}: knows")
    languages = _of_type(entry.get("languages", []), list, f"{where}: languages", "a list of codes")
    for code in languages:
        _of_type(code, str, f"{where}: languages", "a list of codes")
    if (licence := values.get("licence")) is not None:
        _check_one_of(licence, sorted(OPEN_LICENCES | CONDITIONAL_LICENCES), f"{where}: licence")
    shape = read_shape(entry["shape"], f"{where}: shape") if "shape" in entry else None
    return Model(
        **values,
        family=family,
        tasks=tuple(tasks),
        knows=tuple(knows),
        languages=tuple(languages),
        shape=shape,
        open_licence=open_licence(licence),
    )


def read_shape(entry: object, where: str) -> Shape:
    """A shape from its table; raises UsageError naming the key that is wrong."""
    table = dict(_of_type(entry, Mapping, where, "a table"))
    _check_names(table, tuple(each.name for each in fields(Shape)), where)
    if "architecture" not in table:
        raise UsageError(f"{where} has no key 'architecture'", "sizes mean nothing without it", "Add it.")
    vision = table.pop("vision", None)
    seen = read_shape(vision, f"{where}.vision") if vision is not None else None
    return Shape(**_typed(Shape, table, where), vision=seen)


@cache
def _kinds_of(record: type) -> Mapping[str, str]:
    return {name: str(kind) for name, kind in get_type_hints(record).items()}


def _typed(record: type, values: Mapping[str, Any], where: str) -> dict[str, Any]:
    for key, value in values.items():
        kind = _kinds_of(record)[key]
        if "str" in kind:
            _of_type(value, str, f"{where}: {key}", "a text")
        elif "bool" in kind:
            _of_type(value, bool, f"{where}: {key}", "true or false")
        elif type(value) is not int or value < 1:
            raise UsageError(f"{where}: {key} is {value!r:.80}", "it must be a whole number from 1", "Correct it.")
    return dict(values)


def _of_type(value: Any, kind: Any, where: str, expected: str) -> Any:
    if not isinstance(value, kind):
        raise UsageError(f"{where} is {value!r:.80}", f"it must be {expected}", "Correct it.")
    return value


def _check_names(table: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    for key in table:
        if key not in known:
            raise UsageError(
                f"{where} has no key {key!r}", f"the keys are {', '.join(known)}", f"Correct it{nearest(key, known)}."
            )


def _check_one_of(value: object, known: Collection[str], where: str) -> None:
    if value not in known:
        raise UsageError(
            f"{where}: there is no {value!r:.80}",
            f"it is one of {', '.join(known)}",
            f"Correct it{nearest(str(value), tuple(known))}.",
        )
