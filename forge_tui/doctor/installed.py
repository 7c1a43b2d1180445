"""Tells what is installed beside an interpreter, without importing any of it.

Standard library only: `python installed.py NAME ...` runs under the trainer's interpreter when that is another one and
prints what `look` returns as JSON.
"""

from __future__ import annotations

import json
import re
import sys
from importlib import metadata
from pathlib import Path
from typing import Any


def look(names: list[str]) -> dict[str, Any]:
    """Python's version, the version of each distribution (None when missing), and what CUDA torch is built for."""
    packages = {name: _version(name) for name in names}
    return {
        "python": ".".join(map(str, sys.version_info[:3])),
        "packages": packages,
        "torch_cuda": _torch_cuda() if packages.get("torch") else None,
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _torch_cuda() -> str | None:
    """`13.2`, or `13` when only the major version can be told; `none` for a build without CUDA; None when unknown.

    The wheel's own version.py says it best; its version has `+cu128` or `+cpu` only away from the main registry, and
    its requirements name the libraries of one CUDA major.
    """
    torch = metadata.distribution("torch")
    try:
        written = Path(str(torch.locate_file("torch/version.py"))).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        written = ""
    if match := re.search(r"^cuda\b[^=\n]*=\s*(?:['\"]([\d.]+)['\"]|(None))", written, re.MULTILINE):
        return match[1] or "none"
    local = torch.version.partition("+")[2]
    if match := re.fullmatch(r"cu(\d+)(\d)", local):
        return f"{match[1]}.{match[2]}"
    if local:
        return "none"
    for requirement in torch.requires or []:
        if match := re.match(r"nvidia-[a-z-]+-cu(\d+)|cuda-toolkit\b[^=]*==(\d+)", requirement):
            return match[1] or match[2]
    return None


if __name__ == "__main__":
    print(json.dumps(look(sys.argv[1:])))
