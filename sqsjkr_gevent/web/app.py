"""The Flask app; it mounts in any WSGI server of the kicker's process."""

from typing import Any, Protocol

from flask import Flask, Response, jsonify

from ..health import Health
from ..outcome import Outcome
from ..stats import Stats


class Shown(Protocol):
    """What the app asks of a kicker."""

    @property
    def stats(self) -> Stats:
        """How many jobs ended, and how."""

    @property
    def health(self) -> Health:
        """Whether the kicker makes progress."""

    @property
    def busy(self) -> int:
        """Jobs that run."""

    @property
    def idle(self) -> int:
        """Slots in which none runs."""


def create_app(kicker: Shown) -> Flask:
    """The app for one kicker: sqsjkr's two stats paths and /healthz."""
    app = Flask(__name__)
    # sqsjkr's stats clients may compare bytes, and it has its own order of keys.
    app.json.sort_keys = False  # type: ignore[attr-defined]

    @app.get("/stats/metrics")
    def metrics() -> Response:
        return jsonify(idle_worker=kicker.idle, busy_worker=kicker.busy)

    @app.get("/stats/metrics/v2")
    def metrics_v2() -> Response:
        counted = (Outcome.SUCCEEDED, Outcome.FAILED, Outcome.ERRORED)
        return jsonify(
            workers={"busy": kicker.busy, "idle": kicker.idle},
            invocations={outcome.value: kicker.stats[outcome] for outcome in counted},
        )

    @app.get("/healthz")
    def healthz() -> tuple[Any, int]:
        well, details = kicker.health.report()
        return jsonify(details), 200 if well else 503

    return app
