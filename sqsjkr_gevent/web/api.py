"""What the page, the commands and scripts ask for: JSON, and server-sent events."""

import json
import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import gevent
from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import BadRequest

from ..errors import StoreError
from ..job import Outcome
from ..telemetry import Query, Record
from .live import shortened
from .overview import Overview

#: Ends of one answer, at most; and where none is said.
MAX_LIMIT = 500
LIMIT = 50

#: Seconds between two events; every how many of them the series are sent; and what a browser waits
#: before it connects again, in milliseconds.
EVENT_EVERY = 1.0
SERIES_EVERY = 5
RETRY_MS = 2000


def add_api(app: Flask, view: Overview) -> None:
    """All below /api."""

    @app.get("/api/state")
    def state() -> Response:
        return jsonify(view.state())

    @app.get("/api/series")
    def series() -> Response:
        return jsonify(view.series())

    @app.get("/api/history")
    def history() -> Response:
        query = _query()
        ends = view.history.find(query)
        more = ends[-1].seq if len(ends) == query.limit else None
        return jsonify(ends=[_listed(end) for end in ends], next=more)

    @app.get("/api/jobs/<job_id>")
    def job(job_id: str) -> tuple[Response, int]:
        ends = view.history.find(Query(job_id=job_id, limit=MAX_LIMIT))
        if not ends:
            return jsonify(error=f"no end of a job {job_id} is known"), 404
        return jsonify(ends=[end.as_json(output=True) for end in ends]), 200

    state_event, series_event = _shared("state", view.state), _shared("series", view.series)

    @app.get("/api/events")
    def events() -> Response:
        # A proxy that gathers an answer before it passes it on would pass on nothing.
        headers = {"X-Accel-Buffering": "no"}
        stream = _events(state_event, series_event)
        return Response(stream, mimetype="text/event-stream", headers=headers)

    @app.errorhandler(StoreError)
    def unreadable(error: StoreError) -> tuple[Response, int]:
        return jsonify(error=str(error)), 503

    @app.errorhandler(BadRequest)
    def refused(error: BadRequest) -> tuple[Response, int]:
        return jsonify(error=error.description), 400


def _listed(end: Record) -> dict[str, Any]:
    return {**end.as_json(output=False), "command": shortened(end.command)}


def _events(state: Callable[[], str], series: Callable[[], str]) -> Iterator[str]:
    yield f"retry: {RETRY_MS}\n\n"
    turn = 0
    while True:
        try:
            if turn % SERIES_EVERY == 0:
                yield series()
            yield state()
        except StoreError:
            return  # The page connects again, and says meanwhile that it is not live.
        turn += 1
        gevent.sleep(EVENT_EVERY)


def _shared(name: str, look: Callable[[], dict[str, Any]]) -> Callable[[], str]:
    """An event that is made once for all who watch: many may, when something is wrong."""
    made_at, text = -math.inf, ""

    def event() -> str:
        nonlocal made_at, text
        if time.monotonic() - made_at >= EVENT_EVERY / 2:
            text = f"event: {name}\ndata: {json.dumps(look())}\n\n"
            made_at = time.monotonic()
        return text

    return event


def _query() -> Query:
    given = request.args
    outcome = given.get("outcome") or None
    if outcome is not None and outcome not in {one.value for one in Outcome}:
        raise BadRequest(f"outcome: one of {', '.join(one.value for one in Outcome)}")
    return Query(
        job_id=given.get("job_id") or None,
        event_id=given.get("event_id") or None,
        outcome=outcome,
        since=_number("since"),
        until=_number("until"),
        before=_whole("before", 1 << 62),
        limit=_whole("limit", MAX_LIMIT) or LIMIT,
    )


def _number(name: str) -> float | None:
    text = request.args.get(name)
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise BadRequest(f"{name}: epoch seconds, not {text!r}")
    return number


def _whole(name: str, most: int) -> int | None:
    number = _number(name)
    if number is None:
        return None
    if not (1 <= number <= most and number == int(number)):
        raise BadRequest(f"{name}: a whole number from 1 to {most}")
    return int(number)
