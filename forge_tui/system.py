"""What the kernel tells about this machine: CPU, memory, disk, processes, and whether it is a container or WSL."""

from __future__ import annotations

import os
import pwd
import shutil
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from forge_tui.cgroups import cpu_limit, memory_limits
from profiles.hardware import Cpu

# The number of the first PID namespace is fixed in the kernel (PROC_PID_INIT_INO).
_FIRST_PID_NAMESPACE = "pid:[4026531836]"
_NVIDIA_VENDOR = "0x10de"


@dataclass(frozen=True)
class Memory:
    """Main memory that this process can have in all, and that is free for it now."""

    total_bytes: int | None
    available_bytes: int | None


class System:
    """Reads /proc and /sys below a root, which is another folder only in tests."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root

    @cached_property
    def cpu(self) -> Cpu:
        """Its name, and the cores that affinity and quota leave to this process."""
        quota = cpu_limit(self._root)
        cores = len(os.sched_getaffinity(0))
        return Cpu(self._cpu_name(), min(cores, quota) if quota else cores)

    def _cpu_name(self) -> str | None:
        for line in self._text("proc/cpuinfo").splitlines():
            key, _, value = line.partition(":")
            if key.strip() in ("model name", "Model", "cpu model") and value.strip():
                return value.strip()
        return self._text("proc/device-tree/model").strip("\0\n ") or os.uname().machine or None

    def memory(self) -> Memory:
        """Total and available, with the limits of control groups respected."""
        total = available = None
        for line in self._text("proc/meminfo").splitlines():
            key, _, value = line.partition(":")
            if key in ("MemTotal", "MemAvailable") and value.split():
                number = int(value.split()[0]) * 1024
                total, available = (number, available) if key == "MemTotal" else (total, number)
        for each in memory_limits(self._root):
            left = max(0, each.limit_bytes - each.used_bytes)
            total = each.limit_bytes if total is None else min(total, each.limit_bytes)
            available = left if available is None else min(available, left)
        return Memory(total, available)

    @cached_property
    def is_wsl(self) -> bool:
        """Whether Windows runs this Linux."""
        return "microsoft" in self._text("proc/sys/kernel/osrelease").lower()

    @cached_property
    def is_container(self) -> bool:
        """Whether this is a container, where GPUs must be handed in and processes of the host are not seen."""
        marks = (".dockerenv", "run/.containerenv")
        return any((self._root / mark).exists() for mark in marks) or not self.sees_host_processes

    @cached_property
    def sees_host_processes(self) -> bool:
        """Whether pids here are those of the whole machine, which are the ones the driver tells."""
        try:
            return os.readlink(self._root / "proc/self/ns/pid") == _FIRST_PID_NAMESPACE
        except OSError:
            return False

    @cached_property
    def has_nvidia_module(self) -> bool:
        """Whether the kernel has loaded NVIDIA's driver."""
        return (self._root / "proc/driver/nvidia/version").exists()

    @cached_property
    def has_nvidia_device(self) -> bool:
        """Whether an NVIDIA device sits on the PCI bus, with a driver or without."""
        try:
            vendors = [entry / "vendor" for entry in (self._root / "sys/bus/pci/devices").iterdir()]
        except OSError:
            return False
        return any(self._text(str(path.relative_to(self._root))).strip() == _NVIDIA_VENDOR for path in vendors)

    def process(self, pid: int) -> tuple[str | None, str | None]:
        """Owner and name of a process that uses a GPU, as far as it can be told apart from one of the same number."""
        if not self.sees_host_processes and not self._has_gpu_open(pid):
            return None, None
        owner = None
        for line in self._text(f"proc/{pid}/status").splitlines():
            if line.startswith("Uid:"):
                owner = _user(int(line.split()[1]))
        first = self._text(f"proc/{pid}/cmdline").partition("\0")[0]
        # The title of a process may be a whole sentence, and `comm` of a torch process is "pt_main_thread".
        name = Path(first.partition(" ")[0].rstrip(":")).name or self._text(f"proc/{pid}/comm").strip()
        return owner, name or None

    def _has_gpu_open(self, pid: int) -> bool:
        try:
            opened = list((self._root / f"proc/{pid}/fd").iterdir())
        except OSError:
            return False
        for entry in opened:
            try:
                if os.readlink(entry).startswith(("/dev/nvidia", "/dev/dxg")):
                    return True
            except OSError:
                continue
        return False

    def _text(self, path: str) -> str:
        """A file of the kernel; nothing where it cannot be read."""
        try:
            return (self._root / path).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""


def disk_free(folder: Path) -> int | None:
    """Bytes free to this user where a folder lies or will lie; None when it cannot be told."""
    for place in (folder, *folder.parents):
        try:
            return shutil.disk_usage(place).free
        except FileNotFoundError:
            continue
        except OSError:
            return None
    return None


@cache
def _user(number: int) -> str:
    """The name of a user; asked once, since the answer may come over the network."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def own_user() -> str:
    """The name of who runs this process."""
    return _user(os.getuid())
