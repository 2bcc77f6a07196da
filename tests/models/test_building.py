"""Objects of a model work everywhere before the model itself was used, in each supported release of pydantic."""

from __future__ import annotations

import pickle
import subprocess
import sys

import pytest

from marketingblocks_async import CreatePost
from tests.support.examples import post_fields

USES = {
    "inside a response": "m.UpcomingPosts.model_validate({'up_coming': [{'post_id': 1}]}).posts[0]",
    "inside a request": "m.CreatePost(**FIELDS, twitter_threads=[{'message': 'a'}]).twitter_threads[0]",
    "constructed": "m.YouTubeExtra.model_construct(title='a')",
    "a root model": "m.CreatedPost.model_construct({'a': 1})",
    "unpickled": f"pickle.loads({pickle.dumps(CreatePost(**post_fields()))!r})",
    "copied": "copy.deepcopy(m.FoundPost.model_validate({'post': {}}).post)",
}


# A model is built once in a process: these two groups have no model in common that the use before has built.
@pytest.mark.parametrize(
    "uses", [("inside a response", "constructed", "a root model", "unpickled"), ("inside a request", "copied")]
)
def test_an_object_can_be_written_as_json(uses: tuple[str, ...]) -> None:
    code = (
        "import copy, pickle, pydantic, pydantic_core, marketingblocks_async as m\n"
        "from typing import Any\n"
        f"FIELDS = {post_fields()!r}\n"
        "class Holder(pydantic.BaseModel):\n    value: Any\n"
    )
    for use in uses:
        code += (
            f"found = {USES[use]}\n"
            "assert pydantic_core.to_json([found]) == b'[%b]' % found.model_dump_json(by_alias=True).encode()\n"
            "assert Holder(value=found).model_dump() == {'value': found.model_dump()}\n"
        )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)  # noqa: S603 - our own words


@pytest.mark.parametrize("name", ["CreatePost", "CreateGeneration", "UpcomingPosts"])
def test_a_framework_that_silences_warnings_while_it_makes_an_adapter_silences_them(name: str) -> None:
    """FastAPI does, for each request body; with warnings as errors each request was answered 500."""
    code = (
        "import warnings, marketingblocks_async as m\n"
        "from typing import Annotated\n"
        "from pydantic import Field, TypeAdapter\n"
        f"assert not m.{name}.__pydantic_complete__\n"
        "with warnings.catch_warnings(action='ignore'):\n"
        f"    adapter = TypeAdapter(Annotated[m.{name}, Field(alias='post')])\n"
        "print(adapter.json_schema()['title'])\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    assert (done.stdout, done.stderr) == (f"{name}\n", "")
