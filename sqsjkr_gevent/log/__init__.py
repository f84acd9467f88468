"""The log. Logging neither raises nor blocks."""

from .setup import Logger, configure, finalize, get_logger

__all__ = ["Logger", "configure", "finalize", "get_logger"]
