"""A point in time as Go prints it."""

from datetime import datetime, timedelta, timezone, tzinfo

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def format_local(epoch_ms: int, tz: tzinfo | None = None) -> str:
    """Milliseconds since the epoch as Go's time.Time.String prints a local time.

    `2026-11-24 11:16:31.369 +0900 JST`; the fraction has no trailing zeros, and is left out if
    it is zero. tz: the zone to print it in; None for the local one (the variable TZ).
    Raises OverflowError for a year past 9999.
    """
    local = (_EPOCH + timedelta(milliseconds=epoch_ms)).astimezone(tz)
    # Not strftime: how its %Y pads years depends on the C library.
    text = local.replace(microsecond=0, tzinfo=None).isoformat(" ")
    if local.microsecond:
        text += f".{local.microsecond // 1000:03d}".rstrip("0")
    return f"{text} {local.strftime('%z')[:5]} {local.tzname()}"
