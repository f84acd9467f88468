"""What a kicker serves over HTTP: the page, its API, metrics, and sqsjkr's stats."""

from .app import create_app
from .live import Live, Member
from .overview import Overview
from .server import StatsServer, serving

__all__ = ["Live", "Member", "Overview", "StatsServer", "create_app", "serving"]
