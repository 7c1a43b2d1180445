"""What a person set in settings.toml; strict, so that a typing error is not a silent default."""

from __future__ import annotations

import shutil
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from backends.contract import UsageError, nearest
from forge_tui.paths import forge_home
from profiles.prompting_cost import TokenPrices

THEMES = ("auto", "dark", "light", "high-contrast", "terminal")


@dataclass(frozen=True)
class Settings:
    """`trainer_python`: the interpreter that trains, when the server's own torch lives in another environment.

    `price_per_hour` is the rent of the machine, `price_per_kwh` that of energy where there is no rent,
    `price_per_million_tokens` that of a model that is prompted, `price_per_million_output_tokens` that of what it
    writes where that differs; all in one currency, whichever it is.
    `ascii` shows plots and frames without the signs of Unicode, or with them; unset the locale decides.
    `theme` is one of THEMES; `keys` gives actions of the app, by their ids, other keys.
    """

    trainer_python: str = sys.executable
    price_per_hour: float | None = None
    price_per_kwh: float | None = None
    price_per_million_tokens: float | None = None
    price_per_million_output_tokens: float | None = None
    ascii: bool | None = None
    theme: str = "auto"
    keys: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Look:
    """How the app looks and which keys it has."""

    theme: str = "auto"
    keys: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Prices:
    """What a machine costs, and a model that is prompted; None where nothing is set."""

    per_hour: float | None = None
    per_kwh: float | None = None
    tokens: TokenPrices = field(default_factory=TokenPrices)


def read_prices() -> Prices:
    """The prices in settings.toml; raises UsageError as `read_settings`, but does not look for the interpreter."""
    settings = _read()
    tokens = TokenPrices(settings.price_per_million_tokens, settings.price_per_million_output_tokens)
    return Prices(settings.price_per_hour, settings.price_per_kwh, tokens)


def read_ascii() -> bool | None:
    """Whether only ASCII is to be shown, None where nothing is set; raises UsageError as `read_settings`."""
    return _read().ascii


def read_look() -> Look:
    """Theme and keys in settings.toml; raises UsageError as `read_settings`, but does not look for the interpreter."""
    settings = _read()
    return Look(settings.theme, settings.keys)


def read_settings() -> Settings:
    """The settings in force; raises UsageError naming the file and the key."""
    settings = _read()
    if settings.trainer_python != sys.executable and shutil.which(settings.trainer_python) is None:
        raise UsageError(
            f"The trainer's interpreter {settings.trainer_python} cannot be run",
            f"trainer_python in {forge_home() / 'settings.toml'} names it",
            "Correct the path, or delete the line to train with the app's own Python.",
        )
    return settings


def _read() -> Settings:
    path = forge_home() / "settings.toml"
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Settings()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(
            f"{path} cannot be read", str(error), "Correct it, or delete it to use the defaults."
        ) from None
    known = tuple(entry.name for entry in fields(Settings))
    for key, value in content.items():
        if key not in known:
            raise UsageError(
                f"{path}: there is no setting {key!r}",
                f"the settings are {', '.join(known)}",
                f"Correct it{nearest(key, known)}.",
            )
        if key == "ascii":
            if not isinstance(value, bool):
                raise UsageError(f"{path}: ascii is {value!r}", "it must be true or false", "Correct it.")
        elif key.startswith("price_"):
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
                raise UsageError(f"{path}: {key} is {value!r}", "it must be a number from 0", "Correct it.")
        elif key == "keys":
            if not isinstance(value, dict) or not all(isinstance(each, str) for each in _flat(value).values()):
                what = "it must be a table of actions and keys"
                raise UsageError(
                    f"{path}: keys is {value!r}", what, 'Write it as [keys], and below it run.stop = "f8".'
                )
        elif key == "theme" and value not in THEMES:
            raise UsageError(
                f"{path}: there is no theme {value!r}", f"the themes are {', '.join(THEMES)}", "Name one of them."
            )
        elif not isinstance(value, str):
            raise UsageError(f"{path}: {key} is {value!r}", "it must be a text in quotes", "Correct it.")
    return Settings(**{**content, **({"keys": _flat(content["keys"])} if "keys" in content else {})})


def _flat(table: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """`run.stop = "f8"` as TOML reads it, a table in a table, under its whole name again."""
    flat: dict[str, Any] = {}
    for name, value in table.items():
        flat |= _flat(value, f"{before}{name}.") if isinstance(value, dict) else {f"{before}{name}": value}
    return flat


def not_startable(python: str, error: OSError) -> UsageError:
    """The error that the trainer's interpreter is there but cannot be started, as a folder or a broken file is."""
    return UsageError(
        f"The trainer's interpreter {python} cannot be started",
        error.strerror or str(error),
        "Correct trainer_python in settings.toml, or delete the line to use the app's own Python.",
    )
