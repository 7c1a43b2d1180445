"""Reads CUDA_VISIBLE_DEVICES as CUDA does: indexes, UUIDs or their beginnings, MIG names, in the order written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backends.contract import nearest
from forge_tui.nvml_problems import Problem

VARIABLE = "CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True)
class DeviceName:
    """How a device can be named; of a MIG instance `board_uuid` is its GPU's UUID and `place` its two numbers there."""

    index: int
    uuid: str | None
    model: str | None = None
    board_uuid: str | None = None
    place: tuple[int, int] | None = None


@dataclass(frozen=True)
class Visible:
    """Positions of the devices that CUDA shows, in its order, and what is wrong with the variable."""

    positions: tuple[int, ...]
    problems: tuple[Problem, ...] = ()


def visible_devices(value: str | None, devices: Sequence[DeviceName], device_order: str | None = None) -> Visible:
    """The devices that a CUDA_VISIBLE_DEVICES of `value` leaves; None is a variable that is not set.

    As in CUDA, a name that is not there ends the list: what stands after it is hidden too (CUDA C++ Programming
    Guide, environment variables).
    """
    if value is None:
        return Visible(tuple(range(len(devices))))
    names = [name.strip() for name in value.split(",")]
    if names[0] in ("", "-1", "NoDevFiles", "none", "void"):
        hidden = Problem(f"{VARIABLE} is {value!r} and hides every GPU, so runs use the CPU", "unset it to use them")
        return Visible((), (hidden,) if devices else ())
    found: list[int] = []
    problems: list[Problem] = []
    for number, name in enumerate(names):
        matches = _matches(name, devices)
        if len(matches) != 1:
            problems.append(_invalid(name, len(matches), len(names) - number - 1, devices))
            break
        if matches[0] in found:
            what = f"{VARIABLE} names {name!r} twice, and CUDA then may show no GPU at all"
            problems.append(Problem(what, "name each GPU once"))
            continue
        found.append(matches[0])
    by_index = any(name.isdigit() for name in names)
    models = {device.model.partition(" MIG ")[0] for device in devices if device.model}
    if by_index and device_order != "PCI_BUS_ID" and len(models) > 1:
        what = (
            f"{VARIABLE} counts GPUs of different kinds, of which CUDA counts the fastest first and nvidia-smi by slot"
        )
        problems.append(Problem(what, "set CUDA_DEVICE_ORDER=PCI_BUS_ID too, or name UUIDs"))
    return Visible(tuple(found), tuple(problems))


def _matches(name: str, devices: Sequence[DeviceName]) -> list[int]:
    """Positions of the devices that a name can mean; of a GPU that is divided CUDA takes the first instance."""
    if name.isascii() and name.isdigit():
        counted = _counted(devices)
        if len(name) > 9 or int(name) >= len(counted):
            return []
        return [position for position, device in enumerate(devices) if device.index == counted[int(name)]][:1]
    wanted = name.lower()
    if wanted.startswith("mig-gpu-"):
        return [position for position, device in enumerate(devices) if _old_mig_name(device) == wanted]
    if not wanted.startswith(("gpu-", "mig-")) or len(wanted) < 5:
        return []
    exact = [position for position, device in enumerate(devices) if (device.uuid or "").lower() == wanted]
    begins = [position for position, device in enumerate(devices) if (device.uuid or "").lower().startswith(wanted)]
    boards = [device.board_uuid for device in devices if (device.board_uuid or "").lower().startswith(wanted)]
    first_parts = [
        next(position for position, device in enumerate(devices) if device.board_uuid == board)
        for board in dict.fromkeys(boards)
    ]
    return exact or [*begins, *first_parts]


def _counted(devices: Sequence[DeviceName]) -> list[int]:
    """The GPUs in the order CUDA counts them: those that are kept from us do not count."""
    return list(dict.fromkeys(device.index for device in devices))


def _old_mig_name(device: DeviceName) -> str | None:
    """`mig-gpu-<uuid>/<gpu instance>/<compute instance>`, the way to name an instance before driver 470."""
    if device.uuid is not None and device.uuid.lower().startswith("mig-gpu-"):
        return device.uuid.lower()
    if device.board_uuid is None or device.place is None:
        return None
    return f"mig-{device.board_uuid.lower()}/{device.place[0]}/{device.place[1]}"


def _invalid(name: str, matches: int, after: int, devices: Sequence[DeviceName]) -> Problem:
    """Why a name ends the list, and which names there are."""
    known = tuple(device.uuid for device in devices if device.uuid)
    count = len(_counted(devices))
    said = f"means {matches} devices" if matches else "names no device of this machine"
    hidden = "CUDA hides it and all that stands after it" if after else "CUDA shows nothing for it"
    valid = f"the indexes are 0 to {count - 1}" if count > 1 else "the only index is 0" if count else "no GPU is here"
    correct = "write more of its UUID" if matches else f"correct it{nearest(name, known)}"
    return Problem(
        f"{VARIABLE} holds {name!r}, which {said}; {hidden}", f"{correct}; {valid}, and nvidia-smi -L lists the UUIDs"
    )
