"""How long the tests with hostile input search, and what they search with.

SQSJKR_TEST_HOSTILE multiplies their number of examples. Inputs that have found something, or that
are known to be interesting, are in tests/corpus, one in a file: each run begins with them.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, example, settings

CORPUS = Path(__file__).parent / "corpus"

FACTOR = float(os.environ.get("SQSJKR_TEST_HOSTILE", "1"))


def search(examples: int, **more: Any) -> settings:
    """Try so many examples, times SQSJKR_TEST_HOSTILE. A loaded machine is slow: no deadlines."""
    return settings(
        max_examples=max(1, int(examples * FACTOR)),
        deadline=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
        **more,
    )


def corpus(kind: str) -> Callable[[Any], Any]:
    """Begin with the inputs in the folder of that kind, as bytes of the argument `raw`."""
    files = sorted((CORPUS / kind).iterdir())
    assert files, f"nothing in {CORPUS / kind}"

    def begin_with(test: Any) -> Any:
        for file in files:
            test = example(raw=file.read_bytes())(test)
        return test

    return begin_with
