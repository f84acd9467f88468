"""Events as records of Python's logging: what a program gets that has a log of its own."""

import logging
from typing import Any

from .as_text import plain

#: Frames between the code that logs and the call of logging: Logger's two, and tell.
_FRAMES = 4


class Standard:
    """Gives events to Python's logger of the same name, whose handlers decide.

    The message has the event and its fields as text. A record also has them apart, as `event` and
    `fields`, for a formatter that makes JSON. A handler that blocks stops all jobs meanwhile.
    """

    level = logging.NOTSET

    def tell(
        self,
        name: str,
        level: int,
        event: str,
        fields: dict[str, Any],
        error: BaseException | None,
    ) -> None:
        """See Output."""
        logger = logging.getLogger(name)
        if logger.isEnabledFor(level):
            logger.log(
                level,
                plain(event, fields),
                exc_info=error,
                extra={"event": event, "fields": fields},
                stacklevel=_FRAMES,
            )
