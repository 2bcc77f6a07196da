"""Links that stand below a caption."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.bulk.sheets.recipes.test_translation import BERLIN, FACEBOOK, Read, options, table

HEADER = ["Date", "Platform", "Copy", "Link"]


def read(file: Path, link: str, **more: Any) -> Read:
    recipe = options(channels=FACEBOOK, fixed=BERLIN, **more)
    return Read(table(file, HEADER, ["2027-03-14 09:05", "Facebook", "Tulips", link]), recipe)


@pytest.mark.parametrize("link", ["n/a", "N.A.", "-", "TBD", "none", "see bio", "Shop", "9:05", "Great shop. Buy now"])
def test_what_is_no_address_is_not_published(file: Path, link: str) -> None:
    found = read(file, link)
    [message] = found.messages
    assert f'"{link}" in Link is not an address' in message
    assert '--map "Link="' in message
    assert not found.posts
    assert read(file, link, columns={"Link": None}).values("caption_text") == ["Tulips"]
    assert read(file, "").values("caption_text") == ["Tulips"]


@pytest.mark.parametrize(
    "link",
    ["https://a.example/x", "www.a.example", "bit.ly/x", "Shop: https://a.example", "tel:+4930123", "münchen.de"],
)
def test_what_leads_somewhere_is(file: Path, link: str) -> None:
    assert read(file, link).values("caption_text") == [f"Tulips\n{link}"]


ONE, TWO = "https://a.example/x", "https://b.example/y?z=1"


@pytest.mark.parametrize("sign", [",", ", ", ";", " | ", "||", " ", "\n"])
def test_several_addresses_of_one_cell_do_not_become_one(file: Path, sign: str) -> None:
    assert read(file, f"{ONE}{sign}{TWO}").values("caption_text") == [f"Tulips\n{ONE}\n{TWO}"]
    assert read(file, f"{ONE}{sign.rstrip()}").values("caption_text") == [f"Tulips\n{ONE}"]


@pytest.mark.parametrize("link", ["https://a.example/x,y;z", "Shop: https://a.example, https://b.example"])
def test_what_is_no_list_of_addresses_stays_as_it_is(file: Path, link: str) -> None:
    assert read(file, link).values("caption_text") == [f"Tulips\n{link}"]


@pytest.mark.timeout(20)
@pytest.mark.parametrize("link", [ONE + " " * 60_000 + "x", "a" * 200_000, f"{ONE} , ,,\n" * 5_000 + "x"])
def test_a_long_cell_takes_no_minutes(file: Path, link: str) -> None:
    read(file, link)


def test_several_signs_between_addresses_are_one(file: Path) -> None:
    assert read(file, f",{ONE},,\n ; {TWO} |,").values("caption_text") == [f"Tulips\n{ONE}\n{TWO}"]
