"""Whether a run outlives the login that started it: what logind does with a user's processes at logout."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from forge_tui.doctor.checks import Check
from forge_tui.logind import has_systemd, is_in_login_session, setting
from forge_tui.logind import lingers as has_linger

# The first user id of people; RemoveIPC leaves system users alone (logind.conf(5)).
_FIRST_PERSON = 1000


def check_session(root: Path = Path("/"), ask: bool = True) -> Iterator[Check]:
    """What ends or harms a run at logout; `root` is another folder only in tests, `ask` asks logind itself."""
    if not has_systemd(root):
        yield Check("session", "ok", "no systemd here: runs go on after logout")
        return
    kills, removes = (setting(root, name, ask) for name in ("KillUserProcesses", "RemoveIPC"))
    lingers = has_linger(root)
    yield _check_killing(kills, lingers, is_in_login_session(root))
    if removes is not False and os.getuid() >= _FIRST_PERSON and not lingers:
        message = "logind takes away your shared memory at your last logout, which data loading processes use"
        yield Check("session", "warning", message, "Run once: loginctl enable-linger")


def _check_killing(kills: bool | None, lingers: bool, in_session: bool) -> Check:
    if kills is False:
        return Check("session", "ok", "logind leaves your processes alone at logout")
    if not in_session:
        return Check("session", "ok", "this is not part of a login session: runs go on after logout")
    start = "systemd-run --user --scope forge-tui"
    fix = f"Start it as: {start}" if lingers else f"Run once: loginctl enable-linger; then start it as: {start}"
    if kills is None:
        message = "whether logind ends your processes at logout (KillUserProcesses) cannot be told"
        return Check("session", "warning", message, f"If runs end at logout: {fix[0].lower()}{fix[1:]}")
    return Check("session", "warning", "logind ends your processes at logout, runs too (KillUserProcesses=yes)", fix)
