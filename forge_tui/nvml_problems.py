"""What NVML's refusals mean for people: what is wrong and what to do, a sentence each."""

from __future__ import annotations

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


def is_harmless(code: int | None, system: System) -> bool:
    """Whether there is simply no GPU here, as on most machines."""
    seems_to_have_one = system.has_nvidia_module or system.is_wsl or system.has_nvidia_device
    return code == LIBRARY_NOT_FOUND and not seems_to_have_one


def why_not_open(code: int | None, detail: str, system: System) -> str:
    """Why there is no reading of any GPU, and what to do."""
    if code == LIBRARY_NOT_FOUND:
        return _no_library(system)
    if code == DRIVER_NOT_LOADED:
        fix = (
            _HAND_IN if system.is_container else "load it with `sudo modprobe nvidia`; after a new kernel reinstall it"
        )
        return f"The NVIDIA driver is installed but not loaded, so no GPU can be used: {fix}."
    if code == VERSION_MISMATCH:
        return "The NVIDIA driver was updated while the old one is loaded, so no GPU can be used: restart the machine."
    if code in (NO_PERMISSION, OPERATING_SYSTEM):
        return (
            "You may not use the GPUs of this machine: ask its owner for access to /dev/nvidia*, or ask the job "
            "scheduler for a GPU."
        )
    if code == FUNCTION_NOT_FOUND:
        return "The NVIDIA driver is too old to be asked, so no GPU can be used: install a current driver."
    if code in (GPU_IS_LOST, RESET_REQUIRED):
        return "A GPU has fallen off its bus and the driver does not start: restart the machine (sudo dmesg names it)."
    return f"The NVIDIA driver does not answer ({detail}), so no GPU can be used: see what nvidia-smi says."


def _no_library(system: System) -> str:
    if system.has_nvidia_module:
        return "The NVIDIA driver is loaded but its library libnvidia-ml.so.1 is not found, so no GPU can be used: " + (
            f"{_HAND_IN}." if system.is_container else "install the driver's libraries (libnvidia-compute)."
        )
    if system.is_wsl:
        return (
            "Windows gives this WSL no GPU: install NVIDIA's driver in Windows, none in Linux, then `wsl --shutdown`."
        )
    if system.has_nvidia_device:
        return (
            "This machine has an NVIDIA device but no driver, so runs use the CPU: install NVIDIA's driver to use it."
        )
    more = f"{_HAND_IN}, if the machine has one" if system.is_container else "install NVIDIA's driver, if it has one"
    return f"There is no NVIDIA driver here, so runs use the CPU; to use a GPU, {more}."


def gpu_lost(index: int) -> str:
    """A GPU that stopped answering."""
    return (
        f"GPU {index} does not answer any more, it has fallen off its bus; runs on it fail. Restart the machine; "
        f"`sudo dmesg` says more (Xid)."
    )


def gpu_refused(index: int) -> str:
    """A GPU that is there for others."""
    return (
        f"GPU {index} is not given to you, so it cannot be used; ask the machine's owner or the job scheduler for it."
    )


def memory_unknown(index: int, code: int | None) -> str:
    """A GPU whose memory nobody tells, so nothing can be planned for it."""
    why = "you may not ask" if code == NO_PERMISSION else "the driver does not say"
    return (
        f"How much memory GPU {index} has free is unknown, because {why}; plan for it with --hardware gpu:24GiB, with "
        f"what you know it has."
    )


def unified_memory(index: int) -> str:
    """A GPU that shares the machine's memory."""
    return (
        f"GPU {index} shares the machine's main memory, so its free memory is what the machine has available; other "
        f"programs take from it too. Close what you do not need."
    )


def no_instances(index: int) -> str:
    """MIG is on, and the GPU is not divided yet or its parts are hidden."""
    return (
        f"GPU {index} is in MIG mode without an instance that you may use; ask the machine's owner to make one "
        f"(sudo nvidia-smi mig -cgi ... -C) or to hand you one."
    )


def few_facts(index: int, unknown: list[str], is_mig: bool, system: System) -> str:
    """What the driver keeps to itself; nothing is broken."""
    missing = " and ".join((", ".join(unknown[:-1]), unknown[-1]) if len(unknown) > 1 else unknown)
    if system.is_wsl:
        return f"Under WSL GPU {index} does not tell its {missing}; Windows' Task Manager does."
    if is_mig:
        return f"GPU {index} is divided (MIG) and does not tell its {missing} for each part; nothing is wrong."
    return f"GPU {index} does not tell its {missing}; nothing is wrong, these gauges stay empty."


def processes_unknown(code: int | None, driver: str | None, system: System) -> str:
    """Why nobody can say who uses the GPUs."""
    if system.is_wsl:
        return "Under WSL nobody can say which programs use the GPU; look at Windows' Task Manager."
    if code == FUNCTION_NOT_FOUND:
        version = f" {driver}" if driver else ""
        return f"The NVIDIA driver{version} is too old to say who uses a GPU; a current driver does."
    return "The driver does not say who uses the GPUs; ask the machine's owner when memory is missing."
