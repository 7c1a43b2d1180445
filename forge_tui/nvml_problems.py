"""What NVML's refusals mean for people: what is wrong and what to do, a sentence each."""

from __future__ import annotations

from dataclasses import dataclass

from forge_tui.system import System

# The codes of nvml.h that are told apart here; they never change.
NOT_SUPPORTED = 3
NO_PERMISSION = 4
DRIVER_NOT_LOADED = 9
LIBRARY_NOT_FOUND = 12
FUNCTION_NOT_FOUND = 13
GPU_IS_LOST = 15
RESET_REQUIRED = 16
OPERATING_SYSTEM = 17
VERSION_MISMATCH = 18

_HAND_IN = "start the container with its GPUs (docker run --gpus all)"
_NONE_USABLE = "so no GPU can be used"


@dataclass(frozen=True)
class Problem:
    """What is wrong or unknown, and what to do about it; of a mere remark `fix` says nothing."""

    what: str
    fix: str = ""

    @property
    def sentence(self) -> str:
        """Both in one sentence."""
        return f"{self.what}: {self.fix}." if self.fix else f"{self.what}."


def is_harmless(code: int | None, system: System) -> bool:
    """Whether there is simply no GPU here, as on most machines."""
    seems_to_have_one = system.has_nvidia_module or system.is_wsl or system.has_nvidia_device
    return code == LIBRARY_NOT_FOUND and not seems_to_have_one


def why_not_open(code: int | None, detail: str, system: System) -> Problem:
    """Why there is no reading of any GPU, and what to do."""
    if code == LIBRARY_NOT_FOUND:
        return _no_library(system)
    if code == DRIVER_NOT_LOADED:
        fix = (
            _HAND_IN if system.is_container else "load it with `sudo modprobe nvidia`; after a new kernel reinstall it"
        )
        return Problem(f"The NVIDIA driver is installed but not loaded, {_NONE_USABLE}", fix)
    if code == VERSION_MISMATCH:
        what = f"The NVIDIA driver was updated while the old one is still loaded, {_NONE_USABLE}"
        return Problem(what, "restart the machine")
    if code in (NO_PERMISSION, OPERATING_SYSTEM):
        fix = "ask its owner for access to /dev/nvidia*, or the job scheduler for a GPU"
        return Problem("You may not use the GPUs of this machine", fix)
    if code == FUNCTION_NOT_FOUND:
        return Problem(f"The NVIDIA driver is too old to be asked, {_NONE_USABLE}", "install a current driver")
    if code in (GPU_IS_LOST, RESET_REQUIRED):
        what = f"A GPU has fallen off its bus and the driver does not start, {_NONE_USABLE}"
        return Problem(what, "restart the machine; `sudo dmesg` names the GPU")
    return Problem(f"The NVIDIA driver does not answer ({detail}), {_NONE_USABLE}", "see what nvidia-smi says")


def _no_library(system: System) -> Problem:
    if system.has_nvidia_module:
        fix = _HAND_IN if system.is_container else "install the driver's libraries (libnvidia-compute)"
        return Problem(f"The NVIDIA driver is loaded but its libnvidia-ml.so.1 is not found, {_NONE_USABLE}", fix)
    if system.is_wsl:
        fix = "install NVIDIA's driver in Windows and none in Linux, then run `wsl --shutdown` in Windows"
        return Problem("Windows gives this WSL no GPU, so runs use the CPU", fix)
    if system.has_nvidia_device:
        what = "This machine has an NVIDIA device but no driver, so runs use the CPU"
        return Problem(what, "install NVIDIA's driver to use it")
    more = f"{_HAND_IN}, if the machine has one" if system.is_container else "install NVIDIA's driver, if there is one"
    return Problem("There is no NVIDIA driver here, so runs use the CPU", f"to use a GPU, {more}")


def gpu_lost(index: int) -> Problem:
    """A GPU that stopped answering."""
    what = f"GPU {index} does not answer any more, it has fallen off its bus and runs on it fail"
    return Problem(what, "restart the machine; `sudo dmesg` says more (Xid)")


def gpu_silent(index: int, code: int | None) -> Problem:
    """A GPU that the driver counts and does not open."""
    what = f"GPU {index} cannot be asked (NVML error {code}), so it cannot be used"
    return Problem(what, "see what nvidia-smi says, and check its power cable")


def gpu_refused(index: int) -> Problem:
    """A GPU that is there for others."""
    what = f"GPU {index} is not given to you, so it cannot be used"
    return Problem(what, "ask the machine's owner or the job scheduler for it")


def memory_unknown(index: int, code: int | None) -> Problem:
    """A GPU whose memory nobody tells, so nothing can be planned for it."""
    why = "you may not ask" if code == NO_PERMISSION else "the driver does not say"
    what = f"How much memory GPU {index} has free is unknown, because {why}"
    return Problem(what, "plan with --hardware gpu:24GiB, with the memory that you know it has")


def unified_memory(index: int) -> Problem:
    """A GPU that shares the machine's memory."""
    what = f"GPU {index} shares the machine's main memory, so what is free for it is what the machine has available"
    return Problem(what, "close programs that take memory before you train")


def no_instances(index: int) -> Problem:
    """MIG is on, and the GPU is not divided yet or its parts are hidden."""
    what = f"GPU {index} is in MIG mode without an instance that you may use"
    return Problem(what, "ask the machine's owner to make one (sudo nvidia-smi mig -cgi ... -C) or to hand you one")


def few_facts(index: int, unknown: list[str], is_mig: bool, system: System) -> Problem:
    """What the driver keeps to itself; nothing is broken."""
    missing = " and ".join((", ".join(unknown[:-1]), unknown[-1]) if len(unknown) > 1 else unknown)
    if system.is_wsl:
        return Problem(f"Under WSL GPU {index} does not tell its {missing}", "look at Windows' Task Manager")
    if is_mig:
        return Problem(f"GPU {index} is divided (MIG) and does not tell its {missing} for each part; nothing is wrong")
    return Problem(f"GPU {index} does not tell its {missing}; nothing is wrong, these gauges stay empty")


def processes_unknown(code: int | None, driver: str | None, system: System) -> Problem:
    """Why nobody can say who uses the GPUs."""
    if system.is_wsl:
        return Problem("Under WSL nobody can say which programs use the GPU", "look at Windows' Task Manager")
    if code == FUNCTION_NOT_FOUND:
        version = f" {driver}" if driver else ""
        return Problem(f"The NVIDIA driver{version} is too old to say who uses a GPU", "install a current driver")
    what = "The driver does not say who uses the GPUs"
    return Problem(what, "ask the machine's owner when memory is missing")
