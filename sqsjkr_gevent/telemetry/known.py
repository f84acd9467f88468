"""Reading what another version of this program wrote."""

from collections.abc import Iterable, Mapping
from typing import Any


def known(names: Iterable[str], told: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the names that are in a JSON object; the rest is dropped."""
    return {name: told[name] for name in names if name in told}
