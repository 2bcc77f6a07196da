from __future__ import annotations

import random
from typing import Any

import pytest

from marketingblocks_async.sandbox import FAULT_KINDS, Fault, FaultPlan


def plan(*faults: Fault, chance: float = 0.0) -> FaultPlan:
    class Fixed(random.Random):
        def random(self) -> float:
            return chance

    return FaultPlan(faults, Fixed())


def kinds_met(faults: FaultPlan, count: int, endpoint: str = "create-post", label: str = "default") -> list[str | None]:
    met = [faults.before_execution(endpoint, label) for _ in range(count)]
    return [None if fault is None else fault.kind for fault in met]


@pytest.mark.parametrize("kind", FAULT_KINDS)
def test_every_kind_has_defaults_that_it_accepts(kind: str) -> None:
    fault = Fault(kind)
    assert Fault(kind, params=fault.params) == fault
    assert fault.commits == FAULT_KINDS[kind].commits


def test_kinds_that_commit_by_name_cannot_be_told_otherwise() -> None:
    for kind in ("commit_then_drop", "commit_then_500", "commit_then_stall", "drop_before"):
        with pytest.raises(ValueError, match="no parameter commit"):
            Fault(kind, params={"commit": True})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "nonsense"}, "no kind of fault"),
        ({"kind": "reset", "endpoint": "make-post"}, "no endpoint"),
        ({"kind": "reset", "times": 0}, "times of at least 1"),
        ({"kind": "reset", "after": -1}, "after of at least 0"),
        ({"kind": "reset", "rate": 1.5}, "rate from 0 to 1"),
        ({"kind": "reset", "params": {"delay": 1}}, "no parameter delay"),
        ({"kind": "slow", "params": {"delay": "soon"}}, "delay is of type float"),
        ({"kind": "reset", "params": {"commit": "maybe"}}, "commit is true or false"),
        ({"kind": "too_many_requests", "params": {"retry_after": "1\r\nX: y"}}, "must be printable"),
        ({"kind": "post_fails", "endpoint": "get-posts"}, "only for create-post"),
    ],
)
def test_a_fault_that_cannot_be_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Fault(**arguments)


def test_parse() -> None:
    assert Fault.parse("reset") == Fault("reset")
    assert Fault.parse("commit_then_stall:endpoint=create-post,times=3,after=2,rate=0.5,token=a,delay=2") == Fault(
        "commit_then_stall", "create-post", 3, 2, 0.5, "a", {"delay": 2.0}
    )
    assert Fault.parse("reset:times=none,commit=true") == Fault("reset", params={"commit": True})
    dated = Fault.parse("too_many_requests:retry_after=Wed, 21 Oct 2015 07:28:00 GMT,times=1")
    assert dated.params["retry_after"] == "Wed, 21 Oct 2015 07:28:00 GMT"
    assert dated.times == 1


@pytest.mark.parametrize("text", ["", "reset:", "reset:times", "reset:times=x", "slow:delay=x", "reset:commit=2"])
def test_parse_refuses(text: str) -> None:
    with pytest.raises(ValueError, match=r"fault|times|delay|commit"):
        Fault.parse(text)


def test_times_and_after() -> None:
    faults = plan(Fault("reset", times=2, after=1))
    assert kinds_met(faults, 5) == [None, "reset", "reset", None, None]


def test_always_unless_told() -> None:
    assert kinds_met(plan(Fault("reset")), 50) == ["reset"] * 50


def test_endpoint_and_token_select() -> None:
    faults = plan(Fault("reset", endpoint="get-posts", token="a", times=1))
    assert kinds_met(faults, 1, "create-post", "a") == [None]
    assert kinds_met(faults, 1, "get-posts", "b") == [None]
    assert kinds_met(faults, 2, "get-posts", "a") == ["reset", None]


def test_the_first_due_fault_wins_and_the_others_stay_due() -> None:
    faults = plan(Fault("error_500", times=1), Fault("reset", times=1), Fault("html_502", times=1, after=3))
    assert kinds_met(faults, 5) == ["error_500", "reset", None, "html_502", None]


@pytest.mark.parametrize(("chance", "met"), [(0.0, True), (0.249, True), (0.25, False), (0.9, False)])
def test_rate_is_a_probability(chance: float, *, met: bool) -> None:
    assert kinds_met(plan(Fault("reset", rate=0.25), chance=chance), 1) == ["reset" if met else None]


def test_rate_zero_never_and_one_always() -> None:
    assert kinds_met(plan(Fault("reset", rate=0.0), chance=0.0), 1) == [None]
    assert kinds_met(plan(Fault("reset", rate=1.0), chance=0.9999999), 1) == ["reset"]


def test_slow_is_asked_before_counting_only() -> None:
    faults = plan(Fault("slow", times=1))
    assert faults.before_execution("create-post", "default") is None
    assert faults.before_counting("create-post", "default") == Fault("slow", times=1)
    assert faults.before_counting("create-post", "default") is None


def test_post_fails_is_about_posts() -> None:
    faults = plan(Fault("post_fails", times=1))
    assert kinds_met(faults, 3, "get-posts") == [None] * 3
    assert kinds_met(faults, 2, "create-post") == ["post_fails", None]


def test_list_shows_counts_in_order_and_restart_forgets() -> None:
    faults = plan(Fault("slow"), Fault("reset", times=1))
    added = faults.add("html_502:times=1")
    kinds_met(faults, 3)
    assert [(armed.fault.kind, armed.seen, armed.fired) for armed in faults.list()] == [
        ("slow", 0, 0),
        ("reset", 3, 1),
        ("html_502", 3, 1),
    ]
    assert added == Fault("html_502", times=1)
    faults.restart()
    assert [(armed.fault.kind, armed.seen) for armed in faults.list()] == [("slow", 0), ("reset", 0)]
    faults.clear()
    assert faults.list() == ()
    assert kinds_met(faults, 1) == [None]
