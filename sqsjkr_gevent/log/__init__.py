"""The log. Logging neither raises nor blocks."""

from .logger import Logger, get_logger
from .setup import configure, finalize, flush

__all__ = ["Logger", "configure", "finalize", "flush", "get_logger"]
