"""The Flask app. It can be mounted in any WSGI server in the kicker's process."""

from typing import Any

from flask import Flask, Response, jsonify, render_template

from ..job import Outcome
from .access import add_access
from .api import add_api
from .exposition import CONTENT_TYPE
from .hosts import Hosts
from .overview import Viewed

#: Maximum bytes of a request's body; only the login form has one.
MAX_BODY = 16 * 1024

_V2 = (Outcome.SUCCEEDED, Outcome.FAILED, Outcome.ERRORED)


def create_app(kicker: Viewed) -> Flask:
    """The app for a kicker: the page, its API, metrics, health and sqsjkr's two stats paths."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    # Keep sqsjkr's order of keys, since its stats clients may compare bytes.
    app.json.sort_keys = False  # type: ignore[attr-defined]
    view = kicker.view
    add_access(app, view.token, Hosts(view.host_names))
    add_api(app, view)

    @app.get("/stats/metrics")
    def stats_v1() -> Response:
        busy, idle = view.slots()
        return jsonify(idle_worker=idle, busy_worker=busy)

    @app.get("/stats/metrics/v2")
    def stats_v2() -> Response:
        busy, idle = view.slots()
        ended = view.invocations()
        return jsonify(
            workers={"busy": busy, "idle": idle},
            invocations={one.value: ended.get(one.value, 0) for one in _V2},
        )

    @app.get("/healthz")
    def healthz() -> tuple[Any, int]:
        report = view.health()
        return jsonify(report.as_json()), 200 if report.is_well else 503

    @app.get("/metrics")
    def metrics() -> Response:
        return Response(view.metrics(), content_type=CONTENT_TYPE)

    @app.get("/")
    def page() -> str:
        return render_template("page.html")

    return app
