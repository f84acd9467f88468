"""The page shows what strangers wrote, and to whom: nothing of it becomes code."""

from collections.abc import Callable

import pytest

from browser import SOON
from kickers import settings
from servers import free_port
from waiting import eventually

HOSTILE = "<img src=x onerror=window.hit=1></script><script>window.hit=1</script>"

TOKEN = "s3cret-token"


@pytest.fixture
def guarded(aws, queue, kick, open_page: Callable):
    """A kicker that shows itself only to whoever has TOKEN, and its page."""
    kicker = kick(settings(aws, queue, kicker={"stats_token": TOKEN})).started()
    return kicker, open_page(kicker.url)


def test_what_a_hostile_job_is_called_does_and_prints_stays_text(watched, queue):
    """A message's body is anybody's who may send; the page is open in an operator's browser."""
    _, page = watched
    before = page.script("return document.images.length + document.scripts.length")
    queue.send(
        {
            "command": f"printf '%s' '{HOSTILE}'; : \"$OTHER\"",
            "event_id": HOSTILE,
            "lock_id": HOSTILE,
        }
    )
    assert HOSTILE == page.shows("#ended .open").text
    page.shows("#search-event").send_keys(HOSTILE + "\n")
    assert HOSTILE in page.shows("#found", "Jobs that ended").text
    page.open_job("#ended button")
    assert HOSTILE == page.shows("#job-title").text
    assert HOSTILE == page.shows("#job pre[aria-label=Output]").text
    assert before == page.script("return document.images.length + document.scripts.length")
    assert page.script("return window.hit") is None
    assert [] == page.complaints()


@pytest.mark.slow
def test_an_invalid_message_is_shown_with_what_is_wrong(watched, queue):
    """It has no command to show; the reason says which key does not fit."""
    _, page = watched
    queue.send('{"command": 1}')
    row = page.shows("#ended tr", "invalid")
    assert "command" in row.text
    assert "no command: the body is invalid" == page.texts("#ended .command")[0]
    page.open_job("#ended button")
    page.shows("#job p", "It did not run.")


def test_nothing_is_asked_of_others_and_the_policy_is_kept(watched, queue):
    """Who watches a kicker behind a firewall tells nobody; the console stays empty."""
    kicker, page = watched
    queue.send({"command": "echo hello", "event_id": "one"})
    page.shows("#ended tr", "one")
    page.open_job("#ended button")
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    page.media(prefers_color_scheme="dark")
    eventually(lambda: "1" == page.texts("#totals tr td")[0], deadline=SOON)
    asked = page.requests()
    assert f"{kicker.url}/static/vendor/chart.umd.min.js" in asked
    assert [] == [url for url in asked if not url.startswith(kicker.url + "/")]
    assert [] == page.complaints()


@pytest.mark.slow
def test_the_policy_lets_no_script_into_the_page(watched):
    """What the page would have to forget to be attacked: even then, nothing runs."""
    _, page = watched
    page.shows("#connection", "live")
    page.script(
        "const s = document.createElement('script'); s.textContent = 'window.hit = 1';"
        "document.body.append(s); document.body.insertAdjacentHTML('beforeend', arguments[0])",
        HOSTILE,
    )
    eventually(lambda: any("Content Security Policy" in one for one in page.complaints()))
    assert page.script("return window.hit") is None


@pytest.mark.slow
def test_an_address_with_anything_in_it_opens_the_page(watched, queue):
    """Addresses are passed on, and cut, and written by hand."""
    kicker, page = watched
    queue.send({"command": "true", "event_id": "one"})
    page.driver.get(f"{kicker.url}/?length=1&__proto__=2&event_id=%22%3E&outcome=nonsense#x")
    page.shows("#found", 'event_id “">”')
    page.shows("#ended-empty", "No matching job found")
    page.shows("#search button[type=reset]").click()
    page.shows("#ended tr", "one")
    assert [] == page.complaints()


def test_the_page_is_shown_to_whoever_has_the_token(guarded, queue):
    """The login is one field, and then all works as without it."""
    _, page = guarded
    page.shows("#token").send_keys("wrong\n")
    page.shows("[role=alert]", "Wrong token")
    page.shows("#token").send_keys(TOKEN + "\n")
    page.shows("#connection", "live")
    queue.send({"command": "echo hello", "event_id": "one"})
    page.shows("#ended tr", "one")
    page.open_job("#ended button")
    page.shows("#job pre", "hello")


@pytest.mark.parametrize("ask", ["button.open", "#search button.main"])
@pytest.mark.slow
def test_a_session_that_has_ended_leads_back_to_the_login(guarded, queue, ask):
    """A page that was left open says what is missing, instead of showing nothing."""
    kicker, page = guarded
    page.shows("#token").send_keys(TOKEN + "\n")
    queue.send({"command": "echo hello", "event_id": "one"})
    page.shows("#ended tr", "one")
    page.driver.execute_cdp_cmd("Network.clearBrowserCookies", {})
    page.shows(ask).click()
    page.shows("#token")
    assert f"{kicker.url}/login" == page.driver.current_url


@pytest.mark.slow
def test_a_new_token_leads_an_open_page_to_the_login_by_itself(aws, queue, kick, open_page):
    """After a restart with another token, nobody looks at old figures for ever."""
    port = free_port()
    kickers = {"stats_token": TOKEN, "stats_port": port}
    kicker = kick(settings(aws, queue, kicker=kickers)).started()
    page = open_page(kicker.url)
    page.shows("#token").send_keys(TOKEN + "\n")
    page.shows("#connection", "live")
    kicker.clean_up()
    kick(settings(aws, queue, kicker=kickers | {"stats_token": "another-token"})).started()
    page.shows("#token").send_keys("another-token\n")
    page.shows("#connection", "live")
