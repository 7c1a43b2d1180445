"""Whether a run outlives the login that started it: what logind does with a user's processes at logout."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from forge_tui.doctor.checks import Check
from forge_tui.system import own_user

_ANSWER_SECONDS = 5
_MANAGER = ("org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager")
# The first user id of people; RemoveIPC leaves system users alone (logind.conf(5)).
_FIRST_PERSON = 1000


def check_session(root: Path = Path("/"), ask: bool = True) -> Iterator[Check]:
    """What ends or harms a run at logout; `root` is another folder only in tests, `ask` asks logind itself."""
    if not (root / "run/systemd/system").is_dir():
        yield Check("session", "ok", "no systemd here: runs go on after logout")
        return
    kills, removes = (_setting(root, name, ask) for name in ("KillUserProcesses", "RemoveIPC"))
    lingers = (root / "var/lib/systemd/linger" / own_user()).exists()
    yield _check_killing(kills, lingers, _unit(root))
    if removes is not False and os.getuid() >= _FIRST_PERSON and not lingers:
        message = "logind takes away your shared memory at your last logout, which data loading processes use"
        yield Check("session", "warning", message, "Run once: loginctl enable-linger")


def _check_killing(kills: bool | None, lingers: bool, unit: str) -> Check:
    if kills is False:
        return Check("session", "ok", "logind leaves your processes alone at logout")
    if "user@" in unit:
        return Check("session", "ok", "this is not part of a login session: runs go on after logout")
    start = "systemd-run --user --scope forge-tui"
    fix = f"Start it as: {start}" if lingers else f"Run once: loginctl enable-linger; then start it as: {start}"
    if kills is None:
        message = "whether logind ends your processes at logout (KillUserProcesses) cannot be told"
        return Check("session", "warning", message, f"If runs end at logout: {fix[0].lower()}{fix[1:]}")
    return Check("session", "warning", "logind ends your processes at logout, runs too (KillUserProcesses=yes)", fix)


def _unit(root: Path) -> str:
    try:
        return (root / "proc/self/cgroup").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


def _setting(root: Path, name: str, ask: bool) -> bool | None:
    """What logind says of itself, else what its files say; None when neither tells, since the default differs."""
    if ask:
        command = ["busctl", "--system", "get-property", *_MANAGER, name]
        try:
            told = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_ANSWER_SECONDS
            )
        except (OSError, subprocess.TimeoutExpired):
            told = None
        if told is not None and (match := re.fullmatch(r"b (true|false)", told.stdout.strip())):
            return match[1] == "true"
    return _written(root, name)


def _written(root: Path, name: str) -> bool | None:
    """The last word of logind.conf and of the files beside it."""
    main = [root / place / "systemd/logind.conf" for place in ("usr/lib", "run", "etc")]
    added = {
        path.name: path
        for place in ("usr/lib", "run", "etc")
        for path in sorted((root / place / "systemd/logind.conf.d").glob("*.conf"))
    }
    said = None
    for path in [*[each for each in main if each.exists()][-1:], *(added[key] for key in sorted(added))]:
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        for match in re.finditer(rf"^\s*{name}\s*=\s*(\w+)", text, re.MULTILINE):
            said = match[1].lower() in ("yes", "true", "on", "1")
    return said
