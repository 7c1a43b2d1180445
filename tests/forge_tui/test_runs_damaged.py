"""One damaged run folder costs that run some facts, never the list or the app."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.contract import ForgeError, RunFiles, read_json
from forge_tui.runs.control import resume_run
from forge_tui.runs.process import boot_id, host_name
from forge_tui.runs.summary import run_name, summarise_run

METRICS = {"t": 1.0, "kind": "metrics", "step": 3, "total_steps": 10, "values": {"loss": 0.5}}


@pytest.fixture
def run(tmp_path: Path) -> RunFiles:
    files = RunFiles(tmp_path / "20260101-120000-tabular-classification-00aa")
    files.folder.mkdir()
    files.spec.write_text('[run]\nname = "n"\ntask = "tabular-classification"\n[model]\nsource = "preset:xgboost"\n')
    job = {"attempt": 1, "boot_id": boot_id(), "host": host_name(), "first_started": "2026-01-01T12:00:00+00:00"}
    files.job.write_text(json.dumps(job))
    files.exit.write_text(
        json.dumps({"attempt": 1, "exit_code": 1, "signal": None, "ended": "2026-01-01T12:01:00+00:00"})
    )
    files.events.write_text(json.dumps(METRICS) + "\n")
    return files


def test_a_whole_folder_is_told_in_full(run: RunFiles) -> None:
    summary = summarise_run(run)
    assert (summary.name, summary.status, summary.step, summary.total_steps) == ("n", "failed", 3, 10)
    assert summary.metrics == {"loss": 0.5}
    assert summary.started == "2026-01-01T12:00:00+00:00"
    assert summary.ended == "2026-01-01T12:01:00+00:00"


@pytest.mark.parametrize(
    "change", [{"values": None}, {"total_steps": "many"}, {"step": -1}, {"t": "now"}, {"epoch": []}]
)
def test_an_odd_event_costs_what_is_odd_in_it(run: RunFiles, change: dict[str, object]) -> None:
    run.events.write_text(json.dumps({**METRICS, **change}) + "\n")
    summary = summarise_run(run)
    assert summary.status == "failed"
    assert (summary.step, summary.total_steps, summary.metrics) == (
        None if "step" in change else 3,
        None if "total_steps" in change else 10,
        {} if "values" in change else {"loss": 0.5},
    )


@pytest.mark.parametrize("ended", [None, "soon", 7, "2026-01-01T12:01:00"])
def test_an_end_that_is_no_moment_is_that_of_the_last_event(run: RunFiles, ended: object) -> None:
    run.exit.write_text(json.dumps({"attempt": 1, "exit_code": 1, "ended": ended}))
    assert summarise_run(run).ended == "1970-01-01T00:00:01+00:00"


def test_an_unknown_signal_is_told_by_its_number(run: RunFiles) -> None:
    run.exit.write_text(json.dumps({"attempt": 1, "exit_code": None, "signal": 99}))
    summary = summarise_run(run)
    assert summary.status == "failed"
    assert summary.error is not None
    assert "99" in summary.error["why"]


@pytest.mark.parametrize("spec", ["run = 3", "[run]\ntask = 7\nname = []", "model = 1", "[", "\udcff"])
def test_a_damaged_spec_leaves_the_id(run: RunFiles, spec: str) -> None:
    run.spec.write_bytes(spec.encode(errors="surrogateescape"))
    summary = summarise_run(run)
    assert summary.name == run_name(run) == run.folder.name
    assert (summary.task, summary.model) == (None, None)
    with pytest.raises(ForgeError):
        resume_run(run)
    assert read_json(run.job) == {**(read_json(run.job) or {}), "attempt": 1}, "no attempt was begun"


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(name=st.sampled_from(["job", "exit", "report", "control"]), key=st.text(max_size=9), value=ANYTHING)
def test_any_small_file_can_be_summarised(
    tmp_path_factory: pytest.TempPathFactory, name: str, key: str, value: object
) -> None:
    files = RunFiles(tmp_path_factory.mktemp("run"))
    known = ("attempt", "host", "boot_id", "ended", "signal", "exit_code", "metrics", "baseline", "details", "request")
    content = dict.fromkeys((*known, "first_started", "trainer", key), value)
    (files.folder / f"{name}.json").write_text(json.dumps(content))
    files.events.write_text(json.dumps({**METRICS, **dict.fromkeys(("t", "step", "values", "epoch"), value)}) + "\n")
    json.dumps(summarise_run(files).to_json())
