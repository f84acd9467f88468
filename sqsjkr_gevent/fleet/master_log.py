"""gunicorn's own lines, in the form of the kickers' lines around them."""

import json
import logging
from datetime import datetime, timezone


class Lines(logging.Formatter):
    """form: `text` or `json`."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self._form = form

    def format(self, record: logging.LogRecord) -> str:
        """One line, and a traceback after it where there is one."""
        at = datetime.fromtimestamp(record.created, timezone.utc)
        time = at.isoformat(timespec="microseconds").replace("+00:00", "Z")
        level = record.levelname.lower()
        text = record.getMessage()
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        if self._form == "json":
            line = {"event": text, "logger": record.name, "level": level, "timestamp": time}
            return json.dumps(line, ensure_ascii=False)
        return f"{time} [{level:<9}] {text}"
