"""The enumerations: exactly the documented values in requests, open where the documentation is open."""

from __future__ import annotations

import copy
import json
import pickle
from enum import StrEnum
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketingblocks_async.models import (
    ChannelType,
    ChannelTypeName,
    GenerationPostType,
    GenerationPostTypeName,
    GenerationStatus,
    PostStatus,
    PostStatusFilter,
    PostStatusFilterName,
    PostType,
    PostTypeName,
    PrivacyStatus,
    PrivacyStatusName,
    PublishMode,
    PublishModeName,
    TargetType,
    TargetTypeName,
    TriggerType,
    TriggerTypeName,
    YouTubeCategory,
)

DOCUMENTED: list[tuple[type[StrEnum], str]] = [
    (ChannelType, "facebook instagram youtube linkedin tiktok threads twitter"),
    (PostType, "post reel story tweet thread"),
    (PublishMode, "now scheduled queued share_next"),
    (PrivacyStatus, "public private unlisted"),
    (PostStatus, "pending processing scheduled queued published failed draft"),
    (PostStatusFilter, "scheduled draft queued failed published"),
    (GenerationPostType, "text_only ai_image_post ai_banner_post breel talking_reel faceless_reel"),
    (GenerationStatus, "queued success failed"),
    (TargetType, "all posts campaigns"),
    (TriggerType, "any keywords"),
]

NAMES: list[tuple[type[StrEnum], Any]] = [
    (ChannelType, ChannelTypeName),
    (PostType, PostTypeName),
    (PublishMode, PublishModeName),
    (PrivacyStatus, PrivacyStatusName),
    (PostStatusFilter, PostStatusFilterName),
    (GenerationPostType, GenerationPostTypeName),
    (TargetType, TargetTypeName),
    (TriggerType, TriggerTypeName),
]

DOCUMENTED_CATEGORIES = {1, 2, 10, 15, 17, 18, 19, 20, 21, 22}


@pytest.mark.parametrize(("kind", "name"), NAMES, ids=lambda value: getattr(value, "__name__", ""))
def test_the_texts_that_type_checkers_accept_are_the_values(kind: type[StrEnum], name: Any) -> None:
    assert get_args(name) == tuple(kind)


@pytest.mark.parametrize(("kind", "values"), DOCUMENTED, ids=lambda value: getattr(value, "__name__", ""))
def test_they_hold_exactly_the_documented_values(kind: type[StrEnum], values: str) -> None:
    assert sorted(kind) == sorted(values.split())


class TestYouTubeCategory:
    def test_names_the_documented_ids(self) -> None:
        assert {category.value for category in YouTubeCategory} == DOCUMENTED_CATEGORIES

    @given(number=st.integers())
    def test_any_other_number_is_a_category_too(self, number: int) -> None:
        category = YouTubeCategory(number)
        assert category == number
        assert hash(category) == hash(number)
        assert category.value == number
        assert json.loads(json.dumps(category)) == number

    @pytest.mark.parametrize("number", [22, 44, 0, 10**30])
    def test_survives_pickling_and_copying(self, number: int) -> None:
        category = YouTubeCategory(number)
        # By the number on every Python; the standard library of 3.11.2 does it by name.
        assert category.__reduce_ex__(4) == (YouTubeCategory, (number,))
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            restored = pickle.loads(pickle.dumps(category, protocol))  # noqa: S301 - made here
            assert isinstance(restored, YouTubeCategory)
            assert restored == category
        for copied in (copy.copy(category), copy.deepcopy(category), copy.deepcopy({"category": category})["category"]):
            assert isinstance(copied, YouTubeCategory)
            assert copied == number

    def test_an_unnamed_one_shows_its_number(self) -> None:
        category = YouTubeCategory(44)
        assert "44" in repr(category)
        assert "44" in category.name
        assert str(category) == "44"

    def test_trying_numbers_does_not_add_members(self) -> None:
        YouTubeCategory(4711)
        assert {category.value for category in YouTubeCategory} == DOCUMENTED_CATEGORIES
        assert "CATEGORY_4711" not in YouTubeCategory.__members__

    @pytest.mark.parametrize("value", ["22", "music", None, 44.0, 22.5, b"22", False])
    def test_what_is_no_number_is_no_category(self, value: Any) -> None:
        with pytest.raises(ValueError, match="not a valid YouTubeCategory"):
            YouTubeCategory(value)
