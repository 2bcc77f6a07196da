"""What a plan says, that it is made in one pass, and what it costs."""

from __future__ import annotations

import asyncio
import hashlib
import json
import pickle
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketingblocks_async import CreatePost
from marketingblocks_async.bulk import planning
from marketingblocks_async.bulk.errors import SourceError
from marketingblocks_async.bulk.plan import Lines, Plan
from marketingblocks_async.bulk.planning import PlanBuilder, amake_plan, make_plan
from marketingblocks_async.bulk.sheets.rows import Row
from marketingblocks_async.bulk.sheets.sources import read_rows
from tests.support.workbooks import HEADER, LINE, as_csv, cells, fields, parsed, scheduled, written

NOW = datetime(2027, 1, 8, 12, 0, tzinfo=UTC)


class TestWhatItSays:
    def test_everything_in_a_form_for_programs(self, file: Path) -> None:
        rows = [
            cells(key="a", caption_text="one", schedule_time="", time_zone=""),
            cells(key="b", caption_text="two", channel_id="1,2"),
            cells(key="c", caption_text="one", schedule_time="", time_zone=""),
            scheduled(key="d", schedule_time="2027-01-08 14:30"),
            scheduled(key="e", schedule_time="2027-01-08 12:30"),
        ]
        text = as_csv(*({name: row.get(name, "") for name in scheduled(key="")} for row in rows))
        content = written(file, text).read_bytes()
        found = make_plan(file, now=NOW, rate=2.0).to_dict()
        assert json.loads(json.dumps(found)) == found
        assert found == {
            "source_rows": 5,
            "rows": 5,
            "valid": 4,
            "invalid": 1,
            "complete": True,
            "error_count": 1,
            "errors": [
                {
                    "row": 2,
                    "column": "channel_id",
                    "value": "1,2",
                    "message": '"1,2" is not a whole number; write digits only, for example 123',
                    "file": str(file),
                    "line": 3,
                }
            ],
            "faults": [
                {
                    "message": found["errors"][0]["message"],
                    "column": "channel_id",
                    "rows": 1,
                    "first": found["errors"][0],
                }
            ],
            "warning_count": 0,
            "warnings": [],
            "file": {
                "name": "posts.csv",
                "file": str(file),
                "kind": "csv",
                "size": len(content),
                "sha256": hashlib.sha256(content).hexdigest(),
                "encoding": "utf-8",
                "delimiter": ",",
                "sheet": None,
                "columns": {name: name for name in scheduled(key="")},
                "recipe": "",
                "dates": None,
                "left_out": {},
                "filtered_rows": 0,
                "other_sheets": [],
                "hidden_rows": 0,
                "hidden_columns": [],
                "notes": [],
            },
            "channels": [
                {"channel_type": "facebook", "channel_id": 11, "publish_mode": "now", "rows": 2},
                {"channel_type": "facebook", "channel_id": 11, "publish_mode": "scheduled", "rows": 2},
            ],
            "other_channel_rows": 0,
            "permissions": ["social-create-post", "social-read-posts"],
            "duplicates": {"rows": 1, "groups": 1, "listed": [{"rows": [1, 3], "count": 2}]},
            "sent_earlier": [],
            "schedule": {
                "past": 1,
                "past_rows": [5],
                "first": {
                    "row": 5,
                    "schedule_time": "2027-01-08 12:30",
                    "time_zone": "Africa/Lagos",
                    "utc": "2027-01-08T11:30Z",
                },
                "last": {
                    "row": 4,
                    "schedule_time": "2027-01-08 14:30",
                    "time_zone": "Africa/Lagos",
                    "utc": "2027-01-08T13:30Z",
                },
            },
            "rate": 2.0,
            "estimated_seconds": 2.0,
        }

    def test_the_names_are_the_same_for_every_source(self, file: Path) -> None:
        assert list(make_plan([]).to_dict()) == list(make_plan(written(file, as_csv(cells()))).to_dict())

    def test_channels_are_sorted_however_the_rows_are(self) -> None:
        items = [
            fields(channel_type=kind, channel_id=number, publish_mode=mode)
            for kind in ("twitter", "facebook")
            for number in (9, 10, 2)
            for mode in ("queued", "now")
        ]
        counts = make_plan(items).channels
        assert counts == make_plan(items[::-1]).channels
        assert [(each.channel_type, each.channel_id, each.publish_mode) for each in counts[:4]] == [
            ("facebook", 2, "now"),
            ("facebook", 2, "queued"),
            ("facebook", 9, "now"),
            ("facebook", 9, "queued"),
        ]

    def test_no_limit_has_no_estimate(self) -> None:
        assert make_plan([fields()], rate=None).estimated_seconds is None

    def test_the_documented_rate_is_the_default(self) -> None:
        assert make_plan([fields()] * 250).estimated_seconds == 2.5

    @pytest.mark.parametrize(
        "options",
        [{"rate": 0.0}, {"rate": -1.0}, {"rate": float("nan")}, {"max_errors": -1}, {"now": datetime(2027, 1, 8)}],
    )
    def test_settings_that_make_no_sense_are_refused(self, options: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match="give"):
            make_plan([], **options)

    def test_a_plan_is_ok_when_everything_is(self) -> None:
        assert make_plan([fields()]).ok
        assert not make_plan([fields(channel_id="x")]).ok


class TestErrors:
    def test_all_are_counted_and_the_first_are_kept(self) -> None:
        items = [fields(channel_id="x", post_type="y")] * 30
        found = make_plan(items, max_errors=7)
        assert (found.invalid, found.error_count, len(found.errors)) == (30, 60, 7)
        assert [error.row for error in found.errors] == [1, 1, 2, 2, 3, 3, 4]
        assert make_plan(items, max_errors=0).errors == ()

    def test_a_thousand_are_kept_by_default(self) -> None:
        found = make_plan(fields(channel_id="x") for _ in range(1200))
        assert (len(found.errors), found.error_count) == (1000, 1200)

    def test_a_header_that_is_not_understood_is_an_incomplete_plan(self, file: Path) -> None:
        with pytest.raises(SourceError) as caught:
            make_plan(written(file, f"{HEADER},Notes,Remarks\n{LINE},,\n"))
        found = caught.value.plan
        assert found is not None
        assert (found.complete, found.ok, found.rows) == (False, False, 0)
        assert [(error["row"], error["column"]) for error in found.to_dict()["errors"]] == [
            (None, "Notes"),
            (None, "Remarks"),
        ]

    def test_a_file_that_breaks_in_the_middle_is_one_too(self, file: Path) -> None:
        with pytest.raises(SourceError) as caught:
            make_plan(written(file, f'{HEADER}\n{LINE}\n{LINE.replace("11", "x")}\n"a"b\n{LINE}\n'))
        found = caught.value.plan
        assert found is not None
        assert (found.rows, found.valid, found.invalid, found.error_count) == (2, 1, 1, 2)
        assert "closing quote" in found.errors[-1].message
        assert found.errors[-1].line == 4

    @pytest.mark.parametrize("name", ["missing.csv", "posts.docx"])
    async def test_a_file_that_cannot_be_read_is_one_too(self, name: str) -> None:
        for failing in (lambda: make_plan(name), lambda: asyncio.run(amake_plan(name))):
            with pytest.raises(SourceError) as caught:
                await asyncio.to_thread(failing)
            assert caught.value.plan is not None
            assert caught.value.plan.errors[-1].message == caught.value.message
            assert caught.value.plan.to_dict()["file"]["name"] == name


class TestLines:
    def test_each_row_has_its_line(self) -> None:
        lines, found = Lines(), {1: 3, 2: 4, 3: 7, 4: 8, 6: 20}
        assert lines.of(1) is None
        for row, line in found.items():
            lines.add(row, line)
            lines.add(row, line)
        for each in (lines, Lines.from_text(lines.to_text()), pickle.loads(pickle.dumps(lines))):  # noqa: S301 - our own
            assert {row: each.of(row) for row in found} == found
            assert (each.of(0), each.of(7)) == (None, None)

    def test_rows_without_lines_have_none(self) -> None:
        lines = make_plan([cells(), cells()]).lines
        assert (lines.of(1), lines.to_text(), Lines.from_text("")) == (None, "", lines)

    def test_beyond_the_limit_no_line_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("marketingblocks_async.bulk.plan._LINES_LIMIT", 3)
        lines = Lines()
        for row in range(1, 9):
            lines.add(row, 2 * row)
        lines.add(9, 17)
        assert [lines.of(row) for row in range(1, 10)] == [2, 4, 6, *([None] * 6)]
        assert len(lines.starts) == 4


class TestKeys:
    def test_a_key_that_is_there_twice_names_both_rows(self, file: Path) -> None:
        taken: list[int] = []
        rows = [cells(key=key) for key in ("a", "b", "a", "A", "a")]
        found = make_plan(written(file, as_csv(*rows)), on_row=lambda row: taken.append(row.number))
        assert [str(error) for error in found.errors] == [
            f'{file}, line 4, row 3, column key: rows 1, 3 in lines 2, 4 have the same key "a"; give each row its own',
            f'{file}, line 6, row 5, column key: rows 1, 5 in lines 2, 6 have the same key "a"; give each row its own',
        ]
        assert taken == [1, 2, 4]

    @pytest.mark.parametrize(
        ("keys", "bad"),
        [
            (["", "1"], [2]),
            (["2", ""], [2]),
            (["", "", "3", ""], []),
            (["3", "", ""], [3]),
            (["01", "", "1.0"], []),
            (["", "01", "²", "1"], [4]),
            (["a", None, "a"], [3]),
            ([None, None, "1", "2"], [3, 4]),
            (["4", "1", "2", "3"], []),
        ],
    )
    def test_the_number_of_a_row_without_key_counts_as_its_key(self, keys: list[str | None], bad: list[int]) -> None:
        items = [fields(**({} if key is None else {"key": key})) for key in keys]
        assert [error.row for error in make_plan(items).errors] == bad

    def test_the_key_of_a_bad_row_counts(self) -> None:
        found = make_plan(
            [fields(key="a", channel_id="x"), fields(key="a"), fields(key="b"), fields(key="b", channel_id="x")]
        )
        assert [(error.row, error.column) for error in found.errors] == [
            (1, "channel_id"), (2, "key"), (4, "channel_id"), (4, "key"),
        ]  # fmt: skip

    @given(st.lists(st.sampled_from(["", "1", "2", "3", "4", "10", "x", "y"]), max_size=12))
    def test_every_repetition_is_found_and_nothing_else(self, keys: list[str]) -> None:
        names = [key or str(number) for number, key in enumerate(keys, 1)]
        expected = [
            (number, names.index(name) + 1) for number, name in enumerate(names, 1) if names.index(name) + 1 < number
        ]
        errors = make_plan([fields(key=key) for key in keys]).errors
        assert [(error.row, int(error.message.split()[1].strip(","))) for error in errors] == expected


class TestDuplicates:
    def test_are_groups_of_rows(self) -> None:
        found = make_plan([fields(caption_text=text, key=str(n)) for n, text in enumerate("abacbcad")])
        assert found.ok
        assert [(group.rows, group.count) for group in found.duplicate_groups] == [
            ((1, 3, 7), 3),
            ((2, 5), 2),
            ((4, 6), 2),
        ]
        assert (found.duplicate_rows, found.duplicate_group_count) == (4, 3)

    def test_white_space_at_the_ends_of_texts_makes_no_other_post(self) -> None:
        texts = ["Tulips", "Tulips ", "\u00a0Tulips", "Tulips\n", "Tu lips"]
        found = make_plan([fields(caption_text=text) for text in texts])
        assert [group.rows for group in found.duplicate_groups] == [(1, 2, 3, 4)]
        sent: list[str] = []
        found = make_plan(
            [CreatePost.model_validate(fields(caption_text=text)) for text in texts],
            on_row=lambda row: sent.append(row.post.caption_text),
        )
        # A request of a program is sent as it is.
        assert sent == texts
        assert [group.rows for group in found.duplicate_groups] == [(1, 2, 3, 4)]

    def test_the_lists_are_bounded_and_the_counts_are_not(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(planning, "GROUPS_LIMIT", 3)
        captions = [str(n % 5) for n in range(50)]
        found = make_plan([fields(caption_text=caption) for caption in captions])
        assert [(group.rows, group.count) for group in found.duplicate_groups] == [
            ((1, 6, 11), 10), ((2, 7, 12), 10), ((3, 8, 13), 10),
        ]  # fmt: skip
        assert (found.duplicate_rows, found.duplicate_group_count) == (45, 5)

    @given(st.lists(st.sampled_from("abcde"), max_size=30))
    def test_every_group_is_found_with_all_its_rows(self, captions: list[str]) -> None:
        rows = {caption: [n for n, each in enumerate(captions, 1) if each == caption] for caption in captions}
        found = make_plan([fields(caption_text=caption) for caption in captions])
        assert {group.rows for group in found.duplicate_groups} == {tuple(n) for n in rows.values() if len(n) > 1}
        assert found.duplicate_rows == len(captions) - len(rows)


class TestTimes:
    def test_zones_are_taken_into_account(self) -> None:
        items = [
            scheduled(schedule_time="2027-01-08 12:59"),
            scheduled(schedule_time="2027-01-08 13:00"),
            scheduled(schedule_time="2027-01-08 08:00", time_zone="America/New_York"),
            scheduled(schedule_time="2027-01-08T11:59Z", time_zone=""),
        ]
        found = make_plan(items, now=NOW)
        assert found.ok
        assert (found.past_count, found.past_rows) == (2, (1, 4))
        assert found.first_scheduled is not None
        assert found.last_scheduled is not None
        assert (found.first_scheduled.row, found.last_scheduled.row) == (1, 3)
        assert found.last_scheduled.utc == "2027-01-08T13:00Z"

    @pytest.mark.parametrize(("seconds", "past"), [(0, 0), (59, 0), (60, 1)])
    def test_the_present_minute_is_not_past(self, seconds: int, past: int) -> None:
        rows = [scheduled(schedule_time="2027-01-08 13:00")]
        assert make_plan(rows, now=NOW + timedelta(seconds=seconds)).past_count == past

    def test_the_present_is_the_default(self) -> None:
        found = make_plan([scheduled(schedule_time="2001-01-01 00:00"), scheduled(schedule_time="9000-01-01 00:00")])
        assert found.past_rows == (1,)

    def test_the_list_is_bounded_and_the_count_is_not(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(planning, "GROUPS_LIMIT", 2)
        found = make_plan([scheduled(schedule_time="2001-01-01 00:00")] * 5, now=NOW)
        assert (found.past_count, found.past_rows) == (5, (1, 2))

    @pytest.mark.parametrize("text", ["0001-01-01 00:00", "9999-12-31 23:59"])
    @pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York", "UTC"])
    def test_the_ends_of_the_calendar_do_not_crash(self, text: str, zone: str) -> None:
        assert make_plan([scheduled(schedule_time=text, time_zone=zone)], now=NOW).valid == 1


class TestBounds:
    def test_many_channels_are_counted_together(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(planning, "CHANNELS_LIMIT", 3)
        found = make_plan([fields(channel_id=number % 5) for number in range(20)])
        assert len(found.channels) == 3
        assert found.other_channel_rows == 8
        assert sum(each.rows for each in found.channels) == 12

    def test_a_long_file_costs_no_memory_but_the_tables(self, file: Path) -> None:
        def measure(count: int) -> tuple[Plan, int]:
            with file.open("w", newline="") as lines:
                lines.write(f"{HEADER}\n")
                lines.writelines(
                    f"facebook,{n % 7},post,Caption {n},https://e.com/u|https://e.com/v,now\n" for n in range(count)
                )
            tracemalloc.start()
            try:
                return make_plan(file), tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()

        measure(10)
        (_, small), (found, large) = measure(1_000), measure(4_000)
        assert found.valid == 4_000
        # One dictionary entry for each row, twice while the dictionary grows.
        assert large - small < 4_000 * 220 + 100_000


class TestOnePass:
    def test_every_valid_row_is_handed_on_as_it_is_read(self) -> None:
        order: list[str] = []

        def items() -> Iterator[dict[str, Any]]:
            for caption in "ab":
                order.append(f"read {caption}")
                yield fields(caption_text=caption)

        make_plan(items(), on_row=lambda row: order.append(f"row {row.post.caption_text}"))
        assert order == ["read a", "row a", "read b", "row b"]

    def test_the_rows_are_those_that_a_reading_gives(self, file: Path) -> None:
        written(file, as_csv(*(cells(caption_text=caption) for caption in ("a", "", "b"))))
        rows: list[Row] = []
        found = make_plan(file, on_row=rows.append)
        assert rows == [row for row in parsed(file) if isinstance(row, Row)]
        assert found.valid == len(rows) == 2

    def test_what_the_receiver_raises_comes_out_and_the_file_is_closed(self, file: Path) -> None:
        def refuse(row: Row) -> None:
            raise KeyError(row.key)

        with pytest.raises(KeyError):
            make_plan(written(file, f"{HEADER}\n" + f"{LINE}\n" * 999), on_row=refuse)

    @pytest.mark.parametrize("receiver", ["function", "coroutine"])
    async def test_without_blocking(self, file: Path, receiver: str) -> None:
        written(file, as_csv(*(cells(caption_text=str(n)) for n in range(600)), cells(channel_id="x")))

        async def items() -> AsyncIterator[dict[str, str]]:
            for n in range(600):
                yield cells(caption_text=str(n))
            yield cells(channel_id="x")

        rows: list[Row] = []

        async def wait(row: Row) -> None:
            await asyncio.sleep(0)
            rows.append(row)

        on_row: Callable[[Row], Any] = wait if receiver == "coroutine" else rows.append
        for source in (file, items()):
            rows.clear()
            found = await amake_plan(source, on_row=on_row)
            assert (found.valid, found.invalid) == (600, 1)
            assert [row.number for row in rows] == list(range(1, 601))

    async def test_with_and_without_blocking_is_the_same_plan(self, file: Path) -> None:
        written(file, as_csv(*(cells(channel_id=str(n % 3 or "x")) for n in range(50))))
        assert await amake_plan(file, now=NOW) == make_plan(file, now=NOW)

    def test_a_builder_can_be_driven_by_hand(self, file: Path) -> None:
        builder = PlanBuilder(now=NOW)
        with read_rows(written(file, as_csv(cells(), cells(channel_id="x")))) as stream:
            assert [isinstance(row, Row) for row in map(builder.add, stream)] == [True, False]
        assert builder.finish(stream.facts) == make_plan(file, now=NOW)
