"""What a kicker shows over HTTP: the page, its API, the metrics and the stats of sqsjkr."""

from .app import create_app
from .live import Live, Member
from .overview import Overview
from .server import StatsServer, serving

__all__ = ["Live", "Member", "Overview", "StatsServer", "create_app", "serving"]
