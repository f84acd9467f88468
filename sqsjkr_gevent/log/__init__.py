"""How the log is written. It neither raises nor blocks."""

from .setup import Logger, configure, for_good, get_logger

__all__ = ["Logger", "configure", "for_good", "get_logger"]
