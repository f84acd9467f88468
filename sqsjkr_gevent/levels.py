"""The log levels of the config."""

import logging

#: The names that the config and --log-level accept; `warning` is a synonym of `warn`.
LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
