"""``--check`` fails on a broken promise, and on nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.promises import broken, checked
from benchmarks.records import Record, Results
from tests.project.benchmarks.results import record, results


def test_a_kept_promise_is_counted() -> None:
    kept = results(record("limit", "ours", worst_second=100, duplicates=0), record("faults", "ours", copies_of_one=1))
    assert broken(kept) == []
    assert checked(kept) == 3


@pytest.mark.parametrize(("figure", "value"), [("worst_second", 101), ("duplicates", 1), ("copies_of_one", 2)])
def test_a_broken_promise_is_named(figure: str, value: float) -> None:
    (problem,) = broken(results(record("limit", "ours", **{figure: value})))
    assert problem.startswith(f"limit ours round=0: {figure} is {value}")


def test_what_others_do_is_no_promise_of_ours() -> None:
    assert (
        broken(results(record("limit", "bucket", worst_second=207), record("faults", "stack", copies_of_one=5))) == []
    )


def test_no_time_is_a_promise() -> None:
    assert broken(results(record("throughput", "ours", rate=0.001, cpu=1e9, rate_to_raw=0.001))) == []


@pytest.mark.parametrize(("worst", "status"), [(100.0, 0), (101.0, 1)])
def test_the_exit_status_says_it(worst: float, status: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tokens = Record("tokens", "ours", {"tokens": 3}, 0, {"worst_second": worst, "rate": 300.0})
    path = tmp_path / "results.json"
    results(tokens).save(path)
    assert main(["show", str(path), "--check"]) == status
    assert ("BROKEN PROMISE" in capsys.readouterr().out) is bool(status)


def test_results_survive_the_file(tmp_path: Path) -> None:
    path = tmp_path / "deeper" / "results.json"
    before = results(Record("limit", "ours", {"policy": "gcra", "jitter": 10}, 2, {"rate": 99.5}, {"curve": [1.0]}))
    before.save(path)
    assert Results.load(path) == before
    assert [file.name for file in path.parent.iterdir()] == ["results.json"]


@pytest.mark.parametrize("text", ["", "{}", '{"format": 0, "machine": {}, "records": []}', '{"format": 1}', "[]"])
def test_a_file_without_results_is_refused(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "results.json"
    path.write_text(text)
    assert main(["show", str(path)]) == 2
    assert main(["compare", str(path), str(path)]) == 2
    assert str(path) in capsys.readouterr().err
