"""``client.docs``: questions to the documentation."""

from __future__ import annotations

from urllib.parse import quote

from yarl import URL

from marketingblocks_async.calls.call import Call
from marketingblocks_async.calls.executor import Executor
from marketingblocks_async.endpoints import Operation
from marketingblocks_async.errors import InvalidArgumentError
from marketingblocks_async.middleware import HttpResponse

DEFAULT_PAGE = "api-reference/authentication"


class Docs:
    """The vendor's documentation answers questions over plain HTTP, without a token.

    The access token is never sent there: these requests have a connection pool and headers of their own.
    """

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    async def ask(self, question: str, *, page: str = DEFAULT_PAGE) -> str:
        """Ask the documentation a question.

        Args:
            question: in plain words.
            page: the page to ask, its path below the documentation's root, with or without ``.md``.

        Returns:
            The answer: text with excerpts from the documentation.

        Raises:
            InvalidArgumentError: the question is blank, or the page leads out of the documentation.
            NotSentError: there is no connection to the documentation.
            APIError: it answered with an error status.
            APIConnectionError: no response came; ask again.

        Documented on the page "Authentication" of the API reference, which shows the address of such a question.

        """
        if not question.strip():
            msg = "ask a question; this one is blank"
            raise InvalidArgumentError(msg)
        parts = page.removesuffix(".md").strip("/").split("/")
        if any(part in ("", ".", "..") for part in parts):
            msg = f"page={page!r} is no page of the documentation; give a path such as {DEFAULT_PAGE!r}"
            raise InvalidArgumentError(msg)
        path = "/".join(quote(part, safe="") for part in parts)
        url = f"{self._executor.context.base_url}/{path}.md?ask={quote(question, safe='')}"
        request = {"question": question, "page": page}
        return await self._executor.execute(Call(_ASK, request, URL(url, encoded=True), None))


class _Ask(Operation[str]):
    __slots__ = ()

    def decode(self, response: HttpResponse) -> str:
        return response.body.decode("utf-8", "replace")


_ASK = _Ask(name="docs", method="GET", permission=None, resend_is_harmless=True)
