"""The page for everybody: by keyboard, by screen reader, on a phone, in the dark."""

from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from browser import NARROW, SOON
from gates import Gate
from waiting import eventually

#: Contrast that a text must have: https://www.w3.org/TR/WCAG22/#contrast-minimum
CONTRAST = 4.5

#: Texts whose contrast is too low, of all that are seen.
PALE = """
const channel = (c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
const rgba = (text) => [...text.match(/[\\d.]+/g).map(Number), 1].slice(0, 4);
const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const ground = (node) => {
  for (; node; node = node.parentElement) {
    const colour = rgba(getComputedStyle(node).backgroundColor);
    if (colour[3] === 1) return colour;
  }
  return [255, 255, 255];
};
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
const pale = [];
while (texts.nextNode()) {
  const node = texts.currentNode.parentElement;
  if (!texts.currentNode.data.trim() || !node.checkVisibility()) continue;
  if (node.closest("option, .visually-hidden")) continue;
  const [one, other] = [rgba(getComputedStyle(node).color), ground(node)].map(light);
  const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  if (contrast < arguments[0]) pale.push(`${texts.currentNode.data}: ${contrast.toFixed(2)}`);
}
return pale;
"""

#: Elements whose content is wider than they are.
WIDER = """
return [...document.querySelectorAll(arguments[0])]
  .filter((one) => one.scrollWidth > one.clientWidth + 1)
  .filter((one) => !one.matches(".visually-hidden")).map((one) => one.outerHTML.slice(0, 80));
"""

WITH_NAMES = ["button", "link", "textbox", "searchbox", "combobox", "table", "dialog", "meter"]
WITH_NAMES += ["image", "region", "search", "heading"]


def a_job_of_each_kind(page, queue, directory: Path) -> Gate:
    """Have jobs that run, wait and have ended, with long names, on the page."""
    gate = Gate(directory)
    long = "x" * 200
    queue.send({"command": gate.command, "event_id": f"a-{long}", "lock_id": long})
    page.shows("#running tr", "a-")
    queue.send({"command": f"echo {long} {long}", "event_id": f"b {long}", "lock_id": long})
    queue.send({"command": "exit 1", "event_id": f"c-{long}"})
    queue.send('{"command": 1}')
    page.shows("#waiting-rows tr", "b ")
    page.shows("#ended tr", "c-")
    page.shows("#ended tr", "invalid")
    return gate


def test_a_job_opens_and_closes_by_the_keyboard_alone(watched, queue):
    """Tab, Enter, Esc; and the focus is where it was."""
    _, page = watched
    queue.send({"command": "echo hello", "event_id": "one"})
    page.shows("#ended tr", "one")
    button = page.tab_to("#ended button")
    ring = page.script("return getComputedStyle(arguments[0]).outlineStyle", button)
    assert "solid" == ring
    page.press(Keys.ENTER)
    page.shows("#job pre", "hello")
    page.press(Keys.ESCAPE)
    eventually(lambda: [] == page.seen("#job"), deadline=SOON)
    assert button == page.driver.switch_to.active_element


@pytest.mark.slow
def test_the_first_tab_leads_past_the_figures_to_the_search(watched):
    """Who has no mouse need not walk through two hundred running jobs."""
    _, page = watched
    page.tab_to(".skip", most=1)
    page.press(Keys.ENTER)
    assert "search-event" == page.script("return document.activeElement.id")


@pytest.mark.slow
def test_the_focus_stays_on_a_job_while_others_come_and_go(watched, queue, tmp_path):
    """What ticks under the reader's hand must not throw him to the top of the page."""
    _, page = watched
    first, second = gates = Gate(tmp_path, "first"), Gate(tmp_path, "second")
    for gate, name in zip(gates, ("first", "second"), strict=True):
        queue.send({"command": gate.command, "event_id": name})
        page.shows("#running tr", name)
    button = page.shows("#running tr:nth-child(2) button")
    page.script("arguments[0].focus()", button)
    first.open()
    eventually(lambda: ["second"] == page.texts("#running button"), deadline=SOON)
    assert button == page.driver.switch_to.active_element
    second.open()
    page.shows("#running tr.gone", "second")
    assert button == page.driver.switch_to.active_element
    page.script("arguments[0].blur()", button)
    page.shows("#running-empty")


@pytest.mark.slow
def test_all_that_can_be_used_has_a_name_and_there_are_landmarks(watched, queue, tmp_path):
    """What a screen reader finds says what it is."""
    _, page = watched
    a_job_of_each_kind(page, queue, tmp_path)
    tree = page.tree()
    assert {"banner", "main", "search", "status"} <= {node["role"] for node in tree}
    assert [] == [node for node in tree if node["role"] in WITH_NAMES and not node["name"]]
    names = {(node["role"], node["name"]) for node in tree}
    assert ("meter", "Slots busy") in names
    assert ("table", "Running jobs, oldest first") in names
    assert ("region", "Running 1") in names


@pytest.mark.slow
def test_only_health_connection_and_searches_are_read_out(watched):
    """A page that speaks each second would be switched off."""
    _, page = watched
    page.shows("#connection", "live")
    live = "return [...document.querySelectorAll('[aria-live],[role=status],[role=alert]')]"
    assert ["health", "connection", "found"] == page.script(f"{live}.map((one) => one.id)")


def test_a_phone_shows_all_of_it_without_scrolling_sideways(watched, queue, tmp_path):
    """The pager rings where there is no desk."""
    _, page = watched
    a_job_of_each_kind(page, queue, tmp_path)
    page.resize(*NARROW)
    eventually(lambda: NARROW[0] == page.script("return innerWidth"), deadline=SOON)
    assert [] == page.script(WIDER, "html, main > *, main > * > *")
    page.open_job("#ended button")
    assert [] == page.script(WIDER, "html, #job, #job-body, #job-body > *")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.slow
def test_texts_can_be_read_by_day_and_by_night(watched, queue, tmp_path, scheme):
    """Each text stands out from what is behind it, in both schemes and when something is wrong."""
    kicker, page = watched
    page.media(prefers_color_scheme=scheme)
    gate = a_job_of_each_kind(page, queue, tmp_path)
    luminance = page.script(
        "return getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0]"
    )
    assert (int(luminance) < 128) is (scheme == "dark")
    assert [] == page.script(PALE, CONTRAST)
    kicker.process.terminate()
    page.shows("#trouble", "draining")
    assert [] == page.script(PALE, CONTRAST)
    gate.open()
    kicker.wait()
    page.shows("#lost")
    assert [] == page.script(PALE, CONTRAST)


@pytest.mark.slow
def test_nothing_moves_for_whoever_wants_no_motion(watched):
    """The one thing that slides, the meter, jumps."""
    _, page = watched
    sliding = "return getComputedStyle(document.querySelector('#meter div')).transitionDuration"
    assert "0s" != page.script(sliding)
    page.media(prefers_reduced_motion="reduce")
    assert "0s" == page.script(sliding)
