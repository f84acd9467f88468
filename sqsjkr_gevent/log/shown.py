"""What a log line shows of values and exceptions that could be anything. Nothing here raises."""

import traceback


def shown(value: object) -> str:
    """Its repr."""
    try:
        return repr(value)
    except Exception:  # noqa: BLE001
        return f"<{type(value).__name__} that cannot be shown>"


def trace(error: BaseException) -> str:
    """Its traceback."""
    try:
        return "".join(traceback.format_exception(error)).removesuffix("\n")
    except Exception:  # noqa: BLE001
        return f"{type(error).__name__}, whose traceback cannot be shown"


def visible(text: str, *, lines: bool = False) -> str:
    """Escape the characters that a terminal obeys instead of showing them.

    lines: keep line breaks and tabs.
    """
    if text.isprintable():
        return text
    kept = "\n\t" if lines else ""
    return "".join(
        one if one.isprintable() or one in kept else one.encode("unicode_escape").decode()
        for one in text
    )
