"""What logind does with a user's processes at logout, and the way around it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from forge_tui.system import own_user

ROOT = Path("/")
SCOPE = ("systemd-run", "--user", "--scope", "--quiet", "--collect", "--")
_ANSWER_SECONDS = 5
_MANAGER = ("org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager")


def has_systemd(root: Path) -> bool:
    """Whether systemd runs this machine."""
    return (root / "run/systemd/system").is_dir()


def lingers(root: Path) -> bool:
    """Whether the user's own systemd stays after the last logout."""
    return (root / "var/lib/systemd/linger" / own_user()).exists()


def is_in_login_session(root: Path) -> bool:
    """Whether this process belongs to a login, and not to the user's own systemd."""
    try:
        unit = (root / "proc/self/cgroup").read_text(encoding="ascii", errors="replace")
    except OSError:
        unit = ""
    return "user@" not in unit


def setting(root: Path, name: str, ask: bool) -> bool | None:
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


def ends_runs() -> bool:
    """Whether what is started here is known to be ended at logout."""
    if not has_systemd(ROOT) or not is_in_login_session(ROOT):
        return False
    return setting(ROOT, "KillUserProcesses", ask=ROOT == Path("/")) is True


def scope() -> tuple[str, ...]:
    """What to put before a command so that it outlives the logout; empty where that is not needed or does not work."""
    if not ends_runs() or not lingers(ROOT) or shutil.which(SCOPE[0]) is None:
        return ()
    try:
        tried = subprocess.run([*SCOPE, "true"], stdin=subprocess.DEVNULL, capture_output=True, timeout=_ANSWER_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return () if tried.returncode else SCOPE


def logout_warning() -> str | None:
    """The warning before a start that logind will end the run at logout; None where it will not, or nothing says so."""
    if not ends_runs() or scope():
        return None
    then = "" if lingers(ROOT) else "run once: loginctl enable-linger; "
    return (
        "logind ends your processes at logout, this run too (KillUserProcesses=yes): "
        f"{then}start forge-tui with systemd-run --user --scope, or stay logged in"
    )
