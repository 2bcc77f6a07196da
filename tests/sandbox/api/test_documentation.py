from __future__ import annotations

import pytest

from tests.support.sandbox import Running


async def test_a_question_is_answered_with_excerpts() -> None:
    async with Running() as running:
        url = f"{running.sandbox.docs_url}/api-reference/authentication.md"
        reply = await running.fetch("GET", url, params={"ask": "How many requests per second?"})
        assert reply.status == 200
        assert reply.headers["Content-Type"] == "text/markdown"
        assert "How many requests per second?" in reply.body.decode()
        assert "limited to 100 requests per second" in reply.body.decode()
        assert "Source: authentication.md" in reply.body.decode()
        assert running.sandbox.ledger.docs_requests == 1
        assert running.sandbox.ledger.docs_requests_with_authorization == 0


async def test_the_page_itself() -> None:
    async with Running() as running:
        reply = await running.fetch("GET", f"{running.sandbox.docs_url}/api-reference/create-post.md")
        assert "social-create-post" in reply.body.decode()
        assert (await running.fetch("GET", f"{running.sandbox.docs_url}/a/b/c.md")).status == 200


async def test_a_token_that_is_sent_here_is_noticed() -> None:
    async with Running() as running:
        url = f"{running.sandbox.docs_url}/x.md?ask=y"
        reply = await running.fetch("GET", url, headers={"authorization": "Bearer sandbox-token"})
        assert reply.status == 200
        report = (await running.control("GET", "ledger")).json()
        assert report["docs_requests"] == report["docs_requests_with_authorization"] == 1
        assert report["tokens"] == {}


@pytest.mark.parametrize("path", ["/", "/x", "/.md", "/x.html"])
async def test_other_paths_are_not_the_documentation(path: str) -> None:
    async with Running() as running:
        reply = await running.fetch("GET", running.sandbox.docs_url + path)
        assert reply.status == (200 if path == "/.md" else 401)
