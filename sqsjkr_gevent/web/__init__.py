"""What a kicker serves over HTTP: the page, its API, metrics, and sqsjkr's stats."""

from .app import create_app
from .live import Live
from .overview import Overview
from .server import StatsServer, serving
from .state import ProcessState

__all__ = ["Live", "Overview", "ProcessState", "StatsServer", "create_app", "serving"]
