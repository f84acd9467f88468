"""A headless Chromium, and the kicker's page in it as a user sees it."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from waiting import eventually

#: Window sizes in pixels.
WIDE = (1280, 900)
NARROW = (360, 740)

#: How long the page may take to show something on a loaded machine, in seconds.
SOON = 30.0

_ARGUMENTS = [
    "--headless=new",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--lang=en-GB",
    f"--window-size={WIDE[0]},{WIDE[1]}",
]


def _program(variable: str, name: str) -> str:
    path = os.environ.get(variable) or shutil.which(name)
    if path is None:
        raise FileNotFoundError(f"no {name} on PATH: run scripts/test-browser, or set {variable}")
    return path


@contextmanager
def chromium() -> Iterator[webdriver.Chrome]:
    """A Chromium that logs its console and its requests."""
    options = webdriver.ChromeOptions()
    options.binary_location = _program("CHROMIUM", "chromium")
    for argument in _ARGUMENTS:
        options.add_argument(argument)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, Service(_program("CHROMEDRIVER", "chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()


class Page:
    """The page of one kicker."""

    def __init__(self, driver: webdriver.Chrome, url: str) -> None:
        self.driver = driver
        self.url = url
        driver.get_log("performance")
        driver.get_log("browser")
        self.resize(*WIDE)
        self.media()
        driver.get(url)

    def shows(self, css: str, text: str = "") -> WebElement:
        """Wait for a visible element that contains this text."""

        def found() -> WebElement | None:
            return next((one for one in self.seen(css) if text in one.text), None)

        element = eventually(found, deadline=SOON)
        assert element is not None
        return element

    def seen(self, css: str) -> list[WebElement]:
        """The elements that are visible now."""
        try:
            found = self.driver.find_elements(By.CSS_SELECTOR, css)
            return [one for one in found if one.is_displayed()]
        except (StaleElementReferenceException, NoSuchElementException):
            return []

    def texts(self, css: str) -> list[str]:
        """The texts of all matching elements, visible or not, read at the same moment."""
        texts: list[str] = self.script(
            "return [...document.querySelectorAll(arguments[0])].map((one) => one.textContent)", css
        )
        return texts

    def script(self, source: str, *arguments: Any) -> Any:
        """Run JavaScript. Returns its result."""
        return self.driver.execute_script(source, *arguments)

    def call(self, module: str, function: str, *arguments: Any) -> Any:
        """Call a function of one of the page's modules. Returns its result."""
        return self.driver.execute_async_script(
            "const [path, name, values, done] = arguments;"
            "import(path).then((module) => done(module[name](...values)));",
            f"{self.url}/static/{module}",
            function,
            arguments,
        )

    def press(self, *keys: str) -> None:
        """Press keys, one after the other, in the element that has the focus."""
        for key in keys:
            self.driver.switch_to.active_element.send_keys(key)

    def tab_to(self, css: str, most: int = 60) -> WebElement:
        """Press Tab until an element that matches has the focus."""
        for _ in range(most):
            self.press(Keys.TAB)
            if self.script("return document.activeElement.matches(arguments[0])", css):
                return self.driver.switch_to.active_element
        raise AssertionError(f"pressing Tab {most} times did not reach {css}")

    def open_job(self, css: str) -> WebElement:
        """Click a job. Returns its dialog, once it shows the response."""
        self.shows(css).click()
        self.shows("#job article")
        return self.shows("#job")

    def resize(self, width: int, height: int) -> None:
        """Set the size of the window, in pixels."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def media(self, **features: str) -> None:
        """Set media features, such as prefers_color_scheme="dark"; others keep their defaults."""
        told = [{"name": key.replace("_", "-"), "value": text} for key, text in features.items()]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": told})

    def complaints(self) -> list[str]:
        """The new lines of the console since the last call: errors, violated policies."""
        return [line["message"] for line in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        """The URLs that the page requested since the last call."""
        events = [json.loads(line["message"]) for line in self.driver.get_log("performance")]
        return [
            event["message"]["params"]["request"]["url"]
            for event in events
            if event["message"]["method"] == "Network.requestWillBeSent"
        ]

    def nodes(self) -> int:
        """The number of elements on the page."""
        return int(self.script("return document.querySelectorAll('*').length"))

    def tree(self) -> list[dict[str, str]]:
        """What a screen reader finds: the role and name of each element."""
        nodes = self.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
        return [
            {
                "role": str(node.get("role", {}).get("value", "")),
                "name": str(node.get("name", {}).get("value", "")),
            }
            for node in nodes
            if not node["ignored"]
        ]
