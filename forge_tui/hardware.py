"""Reads this machine, or the description of another one, as the record that plans are made for."""

from __future__ import annotations

import json
import os
from dataclasses import replace

from backends.contract import UsageError
from forge_tui.nvml import GpuReading, Nvml
from forge_tui.paths import forge_home_path, typed_path
from forge_tui.system import System, disk_free
from profiles.hardware import Hardware
from profiles.hardware_argument import described_hardware, nearest_form, refusal

_LONGEST_DESCRIPTION = 1_000_000


def probe(system: System | None = None) -> Hardware:
    """This machine now."""
    system = system or System()
    return assemble(Nvml(system).read(), system)


def assemble(reading: GpuReading, system: System) -> Hardware:
    """The record of a reading of the GPUs and of the system around them."""
    memory = system.memory()
    return Hardware(
        gpus=reading.gpus or (),
        cpu=system.cpu,
        memory_total_bytes=memory.total_bytes,
        memory_available_bytes=memory.available_bytes,
        disk_free_bytes=disk_free(forge_home_path()),
        driver_version=reading.driver_version,
        cuda_version=reading.cuda_version,
        problems=tuple(each.sentence for each in (*reading.problems, *reading.remarks)),
    )


def hardware_for(text: str) -> Hardware:
    """What a value of --hardware names: `auto`, `cpu`, `gpu:24GiB`, or a file that `hardware --json` printed.

    Raises UsageError with the nearest valid form.
    """
    word = text.strip().lower()
    if word == "auto":
        return probe()
    if word == "cpu":
        return assemble(GpuReading(()), System())
    if word.startswith("gpu:"):
        return described_hardware(text)
    path = typed_path(text)
    if path.is_file():
        return _read_description(text)
    if nearest_form(text) is None and (os.sep in text or "." in text):
        raise UsageError(
            f"There is no file {text!r}",
            "--hardware takes a file that `forge-tui hardware --json` printed, or auto, cpu, gpu:24GiB",
            "Check the path.",
        )
    raise refusal(text)


def _read_description(text: str) -> Hardware:
    def no_description(why: str) -> UsageError:
        return UsageError(
            f"{text} holds no description of hardware",
            why,
            "Give a file that `forge-tui hardware --json` printed on that machine, or auto, cpu or gpu:24GiB.",
        )

    try:
        with open(typed_path(text), encoding="utf-8-sig") as stream:
            body = stream.read(_LONGEST_DESCRIPTION + 1)
    except OSError as error:
        raise UsageError(f"{text} cannot be read", error.strerror or str(error), "Check its permissions.") from None
    except UnicodeDecodeError:
        raise no_description("it is no text") from None
    if len(body) > _LONGEST_DESCRIPTION:
        raise no_description(f"it is over {_LONGEST_DESCRIPTION:,} characters long")
    try:
        hardware = Hardware.from_json(json.loads(body))
    except json.JSONDecodeError as error:
        raise no_description(f"it is no JSON, as line {error.lineno} shows") from None
    except (ValueError, RecursionError):  # numbers of thousands of digits, thousands of brackets
        raise no_description("its JSON cannot be read") from None
    except UsageError as error:
        raise UsageError(f"{text}: {error.what}", error.why, error.fix) from None
    here = (f"This machine is read from {text}; its free memory is that of the moment when the file was written.",)
    return replace(hardware, problems=(*hardware.problems, *here))
