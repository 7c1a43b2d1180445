"""Shared by all tests: a FORGE_HOME of their own, a stand-in trainer, the command line as a function."""

from __future__ import annotations

import contextlib
import gc
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# On a busy machine examples take long to draw and to run; neither is a fault.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

# What starts the tests may ignore these, as nohup does, and every process of a test would inherit that.
for ignored in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(ignored) is signal.SIG_IGN:
        signal.signal(ignored, signal.default_int_handler if ignored is signal.SIGINT else signal.SIG_DFL)

# Everywhere the same: scores and losses of a GPU differ, and its memory may be somebody's.
os.environ["CUDA_VISIBLE_DEVICES"] = ""

gc.set_threshold(100_000, 20, 50)  # as the command line does

ROOT = Path(__file__).resolve().parents[1]
SHARED_DATA = ROOT.parent / "shared" / "data"
STAND_IN = Path(__file__).with_name("stand_in_trainer.py")
PATIENCE = float(os.environ.get("FORGE_TEST_PATIENCE", "60"))


def wait_for(done: Callable[[], Any], what: str = "what was waited for", seconds: float = PATIENCE) -> Any:
    """Look again and again until `done` gives something true; fails the test when it never does."""
    deadline = time.monotonic() + seconds
    while not (found := done()):
        if time.monotonic() > deadline:
            pytest.fail(f"{what} did not come within {seconds:g} s")
        time.sleep(0.01)
    return found


@dataclass(frozen=True)
class CommandResult:
    """What a command left behind."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """The JSON value on stdout."""
        return json.loads(self.out)


@dataclass(frozen=True)
class ForgeHome:
    """A FORGE_HOME for tests, and what runs in it."""

    path: Path

    def variables(self, plan: Mapping[str, Any] | None = None) -> dict[str, str]:
        """The environment of a command in this home."""
        own = {"FORGE_HOME": str(self.path), "PYTHONPATH": str(ROOT)}
        return {**os.environ, **own, "FORGE_STAND_IN": json.dumps(plan or {})}

    def use_stand_in(self, site: bool = False) -> None:
        """Let runs be trained by the stand-in; `site` gives it the ML libraries."""
        script = self.path / "trainer"
        switch = "" if site else "-S "
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" {switch}"{STAND_IN}" "$@"\n')
        script.chmod(0o700)
        (self.path / "settings.toml").write_text(f"trainer_python = {json.dumps(str(script))}\n")

    def command(self, *arguments: str, plan: Mapping[str, Any] | None = None, **options: Any) -> CommandResult:
        """Run a command as a process of its own and wait for its end."""
        ended = subprocess.run(
            [sys.executable, "-m", "forge_tui", *arguments],
            env=self.variables(plan),
            cwd=self.path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",  # a file name may be any bytes
            timeout=PATIENCE,
            **options,
        )
        return CommandResult(ended.returncode, ended.stdout, ended.stderr)

    def start(self, plan: Mapping[str, Any] | None = None, **spec: Any) -> Any:
        """Start a run of the stand-in from this process; returns its RunFiles. FORGE_HOME must be this home."""
        from backends.contract import RunSpec
        from forge_tui.runs.store import start_run

        assert os.environ["FORGE_HOME"] == str(self.path)
        standard = {
            "name": "tiny",
            "task": "tabular-classification",
            "method": "full",
            "model": "preset:xgboost",
            "data": str(self.path / "none.csv"),
            "columns": {"target": "y"},
        }
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("FORGE_STAND_IN", json.dumps(plan or {}))
            return start_run(RunSpec(**{**standard, **spec}))

    def begin(self, plan: Mapping[str, Any] | None = None, place: str = "step 3") -> Any:
        """A run of five steps that waits at a place, with a checkpoint of step 2."""
        files = self.start({"hold": [place], "save_steps": 2, **(plan or {})})
        self.wait_at(files, place)
        return files

    def wait_at(self, files: Any, place: str) -> None:
        """Until the stand-in waits at a place."""
        wait_for((files.folder / f"at {place}").exists, f"the trainer at {place!r}")

    def release(self, files: Any, place: str = "step 3") -> None:
        """Let the stand-in go on."""
        (files.folder / f"go {place}").touch()

    def wait_end(self, files: Any) -> Any:
        """Until no process of the run is left; returns its Condition."""
        from forge_tui.runs.lock import is_locked
        from forge_tui.runs.status import condition

        wait_for(lambda: not is_locked(files.lock), "the end of the run")
        return condition(files)

    def kill(self, files: Any, *who: str) -> None:
        """kill -9 of supervisor or trainer; returns when they are gone."""
        from backends.contract import read_json
        from forge_tui.runs.process import is_alive

        job = read_json(files.job)
        assert job is not None
        for each in who:
            os.kill(job[each]["pid"], signal.SIGKILL)
        wait_for(lambda: not any(is_alive(job[each]) for each in who), "the end of what was killed")

    def fabricate(
        self,
        run_id: str,
        *,
        spec: Mapping[str, Any] | None = None,
        job: Mapping[str, Any] | None = None,
        exit: Mapping[str, Any] | None = None,
        events: Sequence[Mapping[str, Any]] = (),
        report: Mapping[str, Any] | None = None,
    ) -> Any:
        """A run folder written by hand, of this host and this boot unless `job` says otherwise."""
        import tomli_w

        from backends.contract import RunFiles, RunSpec, write_json
        from forge_tui.runs.process import boot_id, host_name

        files = RunFiles(self.path / "runs" / run_id)
        files.folder.mkdir(mode=0o700)
        (files.folder / "lock").touch(0o600)
        standard = {
            "name": "by hand",
            "task": "tabular-classification",
            "method": "full",
            "model": "preset:xgboost",
            "data": "/none.csv",
        }
        files.spec.write_text(tomli_w.dumps(RunSpec(**{**standard, **(spec or {})}).to_tables()))
        gone = {"pid": 2**22 + 1, "start_ticks": 1}
        known = {
            "boot_id": boot_id(),
            "host": host_name(),
            "supervisor": gone,
            "trainer": gone,
            "command": ["trainer"],
            "attempt": 1,
            "started": "2026-01-02T03:04:05+00:00",
            "first_started": "2026-01-02T03:04:05+00:00",
        }
        write_json(files.job, {**known, **(job or {})})
        if exit is not None:
            ended = "2026-01-02T04:04:05+00:00"
            write_json(
                files.exit,
                {"attempt": 1, "exit_code": 0, "signal": None, "asked_to_stop": False, "ended": ended, **exit},
            )
        lines = (json.dumps({"t": 1.0, **event}) + "\n" for event in events)
        files.events.write_text("".join(lines))
        if report is not None:
            write_json(files.report, report)
        return files

    def processes(self) -> list[int]:
        """The processes that were started in this home and still live, this one left out."""
        marker = f"FORGE_HOME={self.path}".encode()
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                if marker in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
            except OSError:
                continue
        return found

    def end_processes(self) -> None:
        """Kill what a test left behind."""
        deadline = time.monotonic() + PATIENCE
        while (left := self.processes()) and time.monotonic() < deadline:
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            time.sleep(0.01)


_modules_frozen = 0


@pytest.fixture(autouse=True)
def imports_are_no_garbage() -> None:
    """Leave what was imported out of further collections: each training makes one, of a second with all of PyTorch."""
    global _modules_frozen
    if len(sys.modules) >= _modules_frozen + 100:
        _modules_frozen = len(sys.modules)
        gc.freeze()


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test sees or touches the developer's own runs and settings."""
    home = tmp_path / "forge-home"
    monkeypatch.setenv("FORGE_HOME", str(home))
    return home


@pytest.fixture
def home(own_home: Path) -> Iterator[ForgeHome]:
    """An empty home whose runs are trained by the stand-in; its processes end with the test."""
    (own_home / "runs").mkdir(mode=0o700, parents=True)
    made = ForgeHome(own_home)
    made.use_stand_in()
    yield made
    made.end_processes()


@pytest.fixture(scope="module")
def module_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForgeHome]:
    """A home for the runs that several tests of a file look at; without a stand-in until one is asked for."""
    path = tmp_path_factory.mktemp("module") / "forge-home"
    (path / "runs").mkdir(mode=0o700, parents=True)
    made = ForgeHome(path)
    yield made
    made.end_processes()


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., CommandResult]:
    """The command line in this process: quick, and an unforeseen exception fails the test by itself."""

    def run(*arguments: str) -> CommandResult:
        from forge_tui.cli import main

        monkeypatch.setattr(sys, "argv", ["forge-tui", *arguments])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        told = capsys.readouterr()
        assert "Traceback" not in told.out + told.err
        return CommandResult(code, told.out, told.err)

    return run


@pytest.fixture
def make_model(tmp_path: Path) -> Callable[..., Path]:
    """`make_model(name, **config)`: a folder with all files of a small encoder, none of which a trainer could load."""

    def write(name: str, **config: Any) -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True)
        sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
        known = {"model_type": "modernbert", "vocab_size": 500, "max_position_embeddings": 128, **sizes, **config}
        (folder / "config.json").write_text(json.dumps(known))
        tensor = {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}
        header = json.dumps({"weight": tensor}).encode()
        (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(16))
        (folder / "tokenizer.json").write_text("{}")
        (folder / "tokenizer_config.json").write_text("{}")
        return folder

    return write


@pytest.fixture
def serve_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """`serve_model(name, files)`: a hub on this machine that HF_ENDPOINT names, with an empty cache; a FakeHub."""
    fake = importlib.util.spec_from_file_location("fake_hub", Path(__file__).with_name("fake_hub.py"))
    assert fake is not None and fake.loader is not None
    module = importlib.util.module_from_spec(fake)
    monkeypatch.setitem(sys.modules, "fake_hub", module)
    fake.loader.exec_module(module)
    for name in ("HF_TOKEN", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hf" / "hub"))
    monkeypatch.setattr("backends.formats.hub.RETRY_WAITS", (0.0, 0.0, 0.0))
    monkeypatch.setattr("backends.formats.hub_models.RETRY_SECONDS", 0.0)
    with contextlib.ExitStack() as stack:

        def serve(name: str, files: Mapping[str, bytes] | Path) -> Any:
            held = module.files_of(files) if isinstance(files, Path) else dict(files)
            hub = stack.enter_context(module.serving(name, held))
            monkeypatch.setenv("HF_ENDPOINT", hub.url)
            return hub

        yield serve


@dataclass(frozen=True)
class FakeDriver:
    """NVIDIA's library as tests/fake_nvml.c plays it, compiled into a folder."""

    folder: Path

    def variables(self, plays: str = "", **more: str) -> dict[str, str]:
        """The environment of a process that meets it; `plays` is described at the head of the C file."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("CUDA_")}
        own = {"LD_LIBRARY_PATH": str(self.folder), "FAKE_NVML": plays, "PYTHONPATH": str(ROOT)}
        return {**kept, **own, **more}


@pytest.fixture(scope="session")
def fake_driver(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., FakeDriver]:
    """`fake_driver()`, `fake_driver("OLD_DRIVER")`: each kind compiled once; skips where there is no C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    built: dict[str, FakeDriver] = {}

    def build(kind: str = "") -> FakeDriver:
        if compiler is None:
            pytest.skip("there is no C compiler")
        if kind not in built:
            folder = tmp_path_factory.mktemp("nvml")
            options = ["-Wall", "-Werror", "-shared", "-fPIC", "-Wl,-soname,libnvidia-ml.so.1"]
            options += [f"-D{kind}"] if kind else []
            source, library = Path(__file__).with_name("fake_nvml.c"), folder / "libnvidia-ml.so.1"
            subprocess.run([compiler, *options, str(source), "-o", str(library)], check=True, timeout=PATIENCE)
            built[kind] = FakeDriver(folder)
        return built[kind]

    return build


@pytest.fixture(scope="session")
def wait() -> Callable[..., Any]:
    """Wait for a condition with a deadline: `wait(lambda: path.exists(), "the file")`."""
    return wait_for


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The data sets beside the checkout; the test is skipped where they are not."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"{SHARED_DATA} is not there")
    return SHARED_DATA


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return ROOT
