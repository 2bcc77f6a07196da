"""A whole run in seconds: every case, the tables, the files, the pictures."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.cases import CASES
from benchmarks.records import Record, Results
from tests.project.benchmarks.results import results

IN_SECONDS = [case for case in CASES if case not in {"limit", "faults"}]


@pytest.mark.slow
def test_every_case_runs_and_leaves_its_results(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*IN_SECONDS, "--smoke", "--check", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    found = Results.load(tmp_path / "results.json")
    assert {record.case for record in found.records} == set(IN_SECONDS)
    assert all(record.figures for record in found.records)
    table = (tmp_path / "table.md").read_text(encoding="utf-8")
    assert "0 broken" in printed
    for heading in ("Cost: the limit lifted", "Cost by layer", "long queues", "many tokens", "Import time"):
        assert heading in table
    assert main(["compare", str(tmp_path / "results.json"), str(tmp_path / "results.json")]) == 0
    assert "0 real changes" in capsys.readouterr().out


def test_a_case_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["speed"])
    assert "there is no case speed" in capsys.readouterr().err


def limit_record(name: str, worst: float, jitter: int) -> Record:
    figures = {
        "worst_second": worst,
        "rate": 99.0,
        "wall_to_ideal": 1.01,
        "cpu": 500.0,
        "wait_p50": 15.0,
        "wait_p99": 29.0,
        "wait_max": 30.0,
        "refused_gcra": 7.0,
        "overtaken": 3.0,
    }
    setting: dict[str, str | int] = {"policy": "any", "jitter": jitter, "calls": 3000}
    return Record("limit", name, setting, 0, figures, {"sliding_second": [5, worst]})


def test_the_table_of_the_limit_says_the_worst_second_by_jitter(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = [limit_record("ours", 100 - jitter, jitter) for jitter in (0, 10, 50)]
    results(*records).save(tmp_path / "results.json")
    assert main(["show", str(tmp_path / "results.json")]) == 0
    assert "100 / 90 / 50" in (table := capsys.readouterr().out)
    assert "3,000 creates started together" in table
    # Seven at each of three jitters.
    assert "21" in table


@pytest.mark.skipif(find_spec("matplotlib") is None, reason="dependency group 'bench' is not installed: matplotlib")
def test_pictures_are_drawn(tmp_path: Path) -> None:
    records = [
        limit_record("ours", 100, 10),
        limit_record("bucket", 3000, 10),
        *(Record("tokens", "ours", {"tokens": count}, 0, {"rate": 99.0 * count}) for count in (1, 50)),
        *(Record("layers", name, {}, 0, {"cpu": 9.0}) for name in ("send", "permit", "rest", "total")),
        *(Record("throughput", name, {}, 0, {"rate_to_raw": 0.9, "cpu_to_raw": 1.1}) for name in ("raw", "stack")),
    ]
    results(*records).save(tmp_path / "results.json")
    assert main(["show", str(tmp_path / "results.json")]) == 0
    drawn = {path.stem: path.read_bytes() for path in tmp_path.glob("*.png")}
    assert set(drawn) == {"limit", "waits", "tokens", "layers", "throughput"}
    assert all(picture.startswith(b"\x89PNG") and len(picture) > 5000 for picture in drawn.values())
