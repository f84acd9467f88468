"""What a kicker shows over HTTP: the page, its API, the metrics and the stats of sqsjkr."""

from .app import create_app
from .live import Live
from .overview import Overview
from .server import StatsServer, serving
from .state import ProcessState

__all__ = ["Live", "Overview", "ProcessState", "StatsServer", "create_app", "serving"]
