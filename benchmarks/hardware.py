"""What it costs to look at the machine: python benchmarks/hardware.py [--pairs N] [--samples N] [--json]

`forge-tui hardware --json` against `python -c "import typer"`, in interleaved pairs; and the processor time of one
sample of 8 GPUs through the real NVML binding, with the stand-in for the driver's library that the tests compile too,
each GPU with two processes. Needs a C compiler. Exits 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from measuring import Figure, against, at_most, child_environment, interleave, report

ROOT = Path(__file__).resolve().parents[1]
PLAYS = "gpus=8,procs=2,pid=1"
# Prints the processor milliseconds of one sample; the first is left out, since it looks up what never changes.
SAMPLE = """
import sys, time
from forge_tui.machine import Machine
machine, count = Machine(), int(sys.argv[1])
assert len(machine.sample().hardware.gpus) == 8
began = time.process_time()
for _ in range(count):
    machine.sample()
print((time.process_time() - began) / count * 1000)
"""


def compile_driver(folder: Path) -> Path:
    """Build the stand-in for the driver's library; returns its folder."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise SystemExit("There is no C compiler to build the stand-in for NVIDIA's library with.")
    library, source = folder / "libnvidia-ml.so.1", ROOT / "tests" / "fake_nvml.c"
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-Wl,-soname,libnvidia-ml.so.1", str(source), "-o", str(library)], check=True
    )
    return folder


def seconds(command: Sequence[str], environment: dict[str, str]) -> float:
    """Seconds from the start of a process to its end."""
    began = time.monotonic()
    subprocess.run(command, env=environment, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    return time.monotonic() - began


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=9, help="interleaved pairs for each ratio (default 9)")
    parser.add_argument("--samples", type=int, default=200, help="samples to take the mean of (default 200)")
    parser.add_argument("--json", action="store_true", help="print a list of JSON objects")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        environment = child_environment(FORGE_HOME=str(folder / "home"), PYTHONPATH=str(ROOT))
        with_gpus = {**environment, "LD_LIBRARY_PATH": str(compile_driver(folder)), "FAKE_NVML": PLAYS}
        bare = [sys.executable, "-c", "import typer"]
        command = [sys.executable, "-m", "forge_tui", "hardware", "--json"]
        figures: list[Figure] = []
        for name, variables in (("without a driver", environment), ("8 GPUs", with_gpus)):
            pairs = interleave(
                lambda variables=variables: seconds(command, variables),  # type: ignore[misc]
                lambda: seconds(bare, environment),
                options.pairs,
            )
            figures += against(f"hardware --json, {name}", pairs, "import typer")
            figures.append(at_most("  ratio", pairs.ratio, "times", 5.0))
        took = [sys.executable, "-c", SAMPLE, str(options.samples)]
        told = subprocess.run(took, env=with_gpus, check=True, capture_output=True, text=True).stdout
        figures.append(at_most("one sample of 8 GPUs: CPU", float(told), "ms", 5.0))
    report(figures, options.json)


if __name__ == "__main__":
    main()
