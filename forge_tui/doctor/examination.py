"""The whole examination, in the order in which it is told."""

from __future__ import annotations

from forge_tui.doctor.checks import Check, Examination
from forge_tui.doctor.devices import check_devices
from forge_tui.doctor.estimates import check_estimates
from forge_tui.doctor.libraries import Installed, check_libraries, look_at_libraries
from forge_tui.doctor.session import check_session
from forge_tui.doctor.storage import check_storage
from forge_tui.doctor.terminal import check_terminal
from forge_tui.nvml import Nvml


def examine() -> Examination:
    """Look at everything that training needs; nothing is changed and no library is imported."""
    found = look_at_libraries()
    checks: list[Check] = []
    packages: dict[str, str | None] = {}
    torch = cuda = None
    if isinstance(found, Installed):
        packages, cuda = dict(found.packages), found.torch_cuda
        torch = packages.get("torch")
        checks += check_libraries(found)
    else:
        checks.append(found)
    checks += check_devices(Nvml().read(), torch, cuda)
    checks += check_storage()
    checks += check_estimates()
    checks += check_session()
    checks += check_terminal()
    return Examination(tuple(checks), packages)
