"""The page in a real browser: what it shows, what it does, and whether everybody can use it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from importlib.resources import files
from typing import TYPE_CHECKING, Literal

import pytest
import pytest_asyncio

from marketingblocks_async import CreatePost, MarketingBlocks
from marketingblocks_async.sandbox import Sandbox
from tests.support.browser import chromium

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

SOON = 10_000.0
"""Milliseconds within which the page has to show something; it asks once a second."""

VIEWS: tuple[tuple[Literal["light", "dark"], int], ...] = (
    ("light", 400),
    ("dark", 400),
    ("dark", 800),
    ("light", 1280),
    ("light", 1600),
)
"""Colour schemes and widths of the window."""


# One browser for all, so all share one event loop; the fixtures of the plugin have one a test and are of no use here.
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="module")
async def sandbox(request: pytest.FixtureRequest) -> AsyncIterator[Sandbox]:
    async with Sandbox(**getattr(request, "param", {})) as sandbox:
        yield sandbox


@pytest_asyncio.fixture(loop_scope="module")
async def client(sandbox: Sandbox) -> AsyncIterator[MarketingBlocks]:
    async with MarketingBlocks(sandbox.token, base_url=sandbox.base_url) as client:
        yield client


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Browser, sandbox: Sandbox) -> AsyncIterator[Page]:
    async with await browser.new_context() as context:
        page = await context.new_page()
        page.set_default_timeout(SOON)
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        asked: set[str] = set()
        page.on("request", lambda request: asked.add(request.url))
        root = sandbox.base_url.removesuffix("/api/v1")
        await page.goto(root)
        await page.get_by_label("Fault", exact=True).locator("option").nth(20).wait_for(state="attached")
        yield page
        # The browser itself tells of refusals, which a test provokes.
        assert [problem for problem in problems if "400 (Bad Request)" not in problem] == []
        assert all(url.startswith(root) for url in asked)


async def publish(client: MarketingBlocks, *captions: str) -> None:
    for caption in captions:
        await client.posts.create(
            CreatePost(
                channel_type="facebook",
                channel_id=1,
                post_type="post",
                caption_text=caption,
                media_urls=[],
                publish_mode="queued",
            )
        )


async def text_of(page: Page, table: str) -> str:
    return re.sub(r"\s+", " ", await page.locator(table).inner_text())


async def test_it_follows_what_happens(page: Page, client: MarketingBlocks) -> None:
    assert await page.get_by_text("No request has arrived yet.").is_visible()
    await publish(client, "one", "one", "two")
    await page.get_by_role("img", name=re.compile("Token default: .* of 100 allowed")).wait_for()
    assert re.fullmatch(r"default \d 3 3 0 3 kept ?", await text_of(page, "#tokens tbody"))
    assert "queued 3" in await text_of(page, "#posts tbody")
    assert "create-post 3 3 200: 3" in await text_of(page, "#endpoints tbody")
    assert await page.locator("#duplicates").inner_text() == "1"
    assert not await page.get_by_text("No request has arrived yet.").is_visible()


@pytest.mark.parametrize("sandbox", [{"limit": 2}], indirect=True)
async def test_a_limit_that_is_not_kept_is_said_in_words(page: Page, client: MarketingBlocks) -> None:
    for _ in range(4):
        await client.request("GET", "social-sparks/upcoming-posts")
    await page.get_by_text(re.compile("exceeded by [12]")).wait_for()
    told = re.sub(r"\s+", " ", await page.locator("#over").inner_text())
    for words in ("Token default: ", "more than allowed, at ", " ago). The sandbox refused ", "several programs"):
        assert words in told


async def test_a_fault_is_switched_on_and_off_with_the_keyboard_alone(page: Page, sandbox: Sandbox) -> None:
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.textContent") == "Skip to the faults"
    await page.keyboard.press("Enter")
    # From the section to its first field.
    for _ in range(3):
        if await page.evaluate("document.activeElement.name") == "kind":
            break
        await page.keyboard.press("Tab")
    await page.keyboard.type("slow_answer")
    summary = "carried out; the response comes after delay seconds (delay=1)."
    assert await page.locator("#summary").inner_text() == summary
    await page.keyboard.press("Tab")
    await page.keyboard.type("find-post")
    await page.keyboard.press("Tab")
    await page.keyboard.type("2")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    await page.keyboard.type("delay=0.5")
    await page.keyboard.press("Enter")
    await page.get_by_role("status").filter(has_text="The fault slow_answer is on.").wait_for()
    (armed,) = sandbox.faults.list()
    fault = armed.fault
    assert (fault.kind, fault.endpoint, fault.times, fault.params) == ("slow_answer", "find-post", 2, {"delay": 0.5})
    assert "slow_answer find-post 2 delay=0.5 0" in await text_of(page, "#armed tbody")
    await page.get_by_role("button", name="Switch all off").press("Enter")
    await page.get_by_role("status").filter(has_text="All faults are off.").wait_for()
    assert sandbox.faults.list() == ()
    assert await page.evaluate("document.activeElement.id") == "faults"


async def test_a_fault_that_cannot_be_is_explained(page: Page, sandbox: Sandbox) -> None:
    await page.get_by_label("Parameters").fill("nonsense=1")
    with_console = page.get_by_role("status").filter(has_text="has no parameter nonsense")
    await page.get_by_role("button", name="Switch on").click()
    await with_console.wait_for()
    assert sandbox.faults.list() == ()


async def test_parameters_can_be_typed_as_they_are_shown(page: Page, sandbox: Sandbox) -> None:
    await page.get_by_label("Fault", exact=True).select_option("wrong_shape")
    parameters = page.get_by_label("Parameters")
    shown = await parameters.get_attribute("placeholder")
    assert shown == 'body=["unexpected", 42]'
    await parameters.fill(f"{shown}, commit=false")
    await page.get_by_role("button", name="Switch on").click()
    await page.get_by_role("status").filter(has_text="The fault wrong_shape is on.").wait_for()
    (armed,) = sandbox.faults.list()
    assert armed.fault.params == {"body": '["unexpected", 42]', "commit": False}


async def test_it_says_that_only_some_tokens_have_a_chart(page: Page, sandbox: Sandbox) -> None:
    note = page.get_by_text("The charts show the 4 tokens with the most requests; the table has more.")
    for number in range(5):
        async with MarketingBlocks(sandbox.add_token(f"t{number}"), base_url=sandbox.base_url) as client:
            await client.posts.upcoming()
        if number == 3:
            await page.get_by_role("rowheader", name="t3").wait_for()
            assert not await note.is_visible()
    await note.wait_for()
    assert await page.locator("#charts figure").count() == 4


async def test_names_are_text_and_nothing_else(page: Page, sandbox: Sandbox) -> None:
    token = sandbox.add_token("<img src=x onerror=alert(1)>")
    async with MarketingBlocks(token, base_url=sandbox.base_url) as client:
        await client.posts.upcoming()
    await page.get_by_role("rowheader", name="<img src=x onerror=alert(1)>").wait_for()
    assert await page.locator("main img").count() == 0


async def test_everybody_can_use_it(page: Page, client: MarketingBlocks) -> None:
    await publish(client, "one")
    await page.get_by_role("img", name=re.compile("Token default")).wait_for()
    await page.get_by_role("button", name="Switch on").click()
    await page.get_by_role("button", name="Switch all off").wait_for()
    await page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8"))
    for scheme, width in VIEWS:
        await check_view(page, scheme, width)


async def check_view(page: Page, scheme: Literal["light", "dark"], width: int) -> None:
    await page.emulate_media(color_scheme=scheme)
    await page.set_viewport_size({"width": width, "height": 900})
    assert (await page.evaluate("axe.run()"))["violations"] == []
    # No section is clipped, none leaves an empty column beside it, and nothing sticks out sideways.
    boxes = await page.evaluate(
        "[...document.querySelectorAll('main > section')].map(each => each.getBoundingClientRect())"
    )
    right = max(box["right"] for box in boxes)
    assert all(any(abs(each["right"] - right) < 2 for each in boxes if each["top"] == box["top"]) for box in boxes)
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    background = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(246, 247, 249)" if scheme == "light" else "rgb(18, 21, 27)")


async def test_a_sandbox_that_has_gone_is_said_once(browser: Browser) -> None:
    async with Sandbox() as sandbox:
        context = await browser.new_context()
        page = await context.new_page()
        page.set_default_timeout(SOON)
        await page.goto(sandbox.base_url.removesuffix("/api/v1"))
        await page.get_by_text("sliding_log").wait_for()
    await page.get_by_role("status").filter(has_text="does not answer").wait_for()
    await context.close()
