"""The API for the page, the commands and scripts: JSON and server-sent events."""

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

#: Ends in one response: at most, and by default.
MAX_LIMIT = 500
LIMIT = 50

#: Seconds between two state events; state events per series event; milliseconds that a browser
#: waits before it reconnects.
EVENT_EVERY = 1.0
SERIES_EVERY = 5
RETRY_MS = 2000


def add_api(app: Flask, view: Overview) -> None:
    """Add all endpoints below /api, and the responses to their errors."""
    _add_errors(app)

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
            return jsonify(error=f"no history of job {job_id}"), 404
        return jsonify(ends=[end.as_json(output=True) for end in ends]), 200

    state_event, series_event = _shared("state", view.state), _shared("series", view.series)

    @app.get("/api/events")
    def events() -> Response:
        # A proxy that buffers responses would never pass this one on.
        headers = {"X-Accel-Buffering": "no"}
        stream = _events(state_event, series_event)
        return Response(stream, mimetype="text/event-stream", headers=headers)


def _add_errors(app: Flask) -> None:
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
            return  # The page reconnects, and meanwhile shows that the connection is lost.
        turn += 1
        gevent.sleep(EVENT_EVERY)


def _shared(name: str, get: Callable[[], dict[str, Any]]) -> Callable[[], str]:
    """An event made once for all viewers, since many may watch when something is wrong."""
    made_at, text = -math.inf, ""

    def event() -> str:
        nonlocal made_at, text
        if time.monotonic() - made_at >= EVENT_EVERY / 2:
            text = f"event: {name}\ndata: {json.dumps(get())}\n\n"
            made_at = time.monotonic()
        return text

    return event


def _query() -> Query:
    given = request.args
    outcome = given.get("outcome") or None
    if outcome is not None and outcome not in {one.value for one in Outcome}:
        raise BadRequest(f"outcome: expected one of {', '.join(one.value for one in Outcome)}")
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
        raise BadRequest(f"{name}: expected epoch seconds, got {text!r}")
    return number


def _whole(name: str, maximum: int) -> int | None:
    number = _number(name)
    if number is None:
        return None
    if not (1 <= number <= maximum and number == int(number)):
        raise BadRequest(f"{name}: expected a whole number from 1 to {maximum}")
    return int(number)
