"""Fixtures of the tests that look at the page: a browser, and the page of a kicker in it."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from kickers import KickerProcess, settings

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

    from browser import Page


@pytest.fixture(scope="session")
def browser() -> Iterator["Chrome"]:
    """Chromium, started when it is first asked for."""
    from browser import chromium

    with chromium() as driver:
        yield driver


@pytest.fixture
def open_page(browser: "Chrome") -> Iterator[Callable[[str], "Page"]]:
    """Open the page of a kicker at its address."""
    from browser import Page

    yield lambda url: Page(browser, url)
    browser.get("about:blank")
    browser.execute_cdp_cmd("Network.clearBrowserCookies", {})  # They are of a host, not of a port.


@pytest.fixture
def watched(
    aws: Any, queue: Any, kick: Callable[..., KickerProcess], open_page: Callable[[str], "Page"]
) -> tuple[KickerProcess, "Page"]:
    """A kicker of the fixture `queue` that has started, with locks of its own, and its page."""
    memory = {"backend": "memory"}
    config = settings(aws, queue, locker=memory, throttler=memory)
    kicker = kick(config).started()
    return kicker, open_page(kicker.url)
