"""Conditional writes of rows as PartiQL statements, many to a call of BatchExecuteStatement.

Only for what can be done in another way: what a statement does not achieve, for whatever reason,
its caller does by a call of its own, which also says what the row is like.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any

from botocore.exceptions import ClientError

from ..backoff import Backoff
from ..clock import Clock
from ..log import get_logger
from .client import CallError, Client, error_code, is_denied
from .gatherer import Gatherer
from .rights import PARTIQL_INSERT, PARTIQL_UPDATE, STATEMENT_RIGHTS, Right, try_right

log = get_logger(__name__)

#: Statements that one call can hold.
#: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchExecuteStatement.html
MAX_STATEMENTS = 25

#: While fewer calls than this are under way, a statement goes out at once.
AT_ONCE = 2

#: Seconds that a statement waits at most for calls under way. Usually they take 5 to 20 ms.
PATIENCE = 0.1

#: Seconds after which an urgent statement is not waited for any more, though its call may yet
#: succeed. It has up to MAX_STATEMENTS leases, and a connection that hangs must not cost them all.
URGENT_WITHIN = 3.0

#: Seconds after which a table that could not be used is tried out again, at its next check.
TRIED_AGAIN = 60.0

_OPERATION = "batch_execute_statement"

#: Codes by which a statement is answered for good. Any other says that the service has trouble.
#: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchStatementError.html
_ANSWERS = frozenset({"ConditionalCheckFailed", "DuplicateItem", "ValidationError", "AccessDenied"})

#: A value in the format of the API.
Value = dict[str, str]


@dataclass(slots=True, unsafe_hash=True)  # frozen=True takes 2 µs for each.
class Statement:
    """One write, never changed. Equal are those of the same row, which must not be in one call."""

    table: str
    row_id: str
    kind: str
    text: str = field(compare=False)
    parameters: list[Value] = field(compare=False)
    right: Right = field(compare=False)


def insert_statement(table: str, row: Mapping[str, Value]) -> Statement:
    """Write the row, which has Id and Type, unless there is one with this key."""
    text = _insert_text(table, tuple(row))
    row_id, kind = row["Id"]["S"], row["Type"]["S"]
    return Statement(table, row_id, kind, text, list(row.values()), PARTIQL_INSERT)


@lru_cache(maxsize=16)
def _insert_text(table: str, names: tuple[str, ...]) -> str:
    fields = ", ".join(f"'{name}': ?" for name in names)
    return f'INSERT INTO "{table}" VALUE {{{fields}}}'


def update_statement(
    table: str,
    row_id: str,
    kind: str,
    changes: str,
    condition: str,
    parameters: tuple[Sequence[Value], Sequence[Value]],
) -> Statement:
    """Change the row if it exists and the condition holds. parameters: of changes, of condition."""
    text = f'UPDATE "{table}" {changes} WHERE "Id" = ? AND "Type" = ? AND {condition}'
    of_changes, of_condition = parameters
    values = [*of_changes, {"S": row_id}, {"S": kind}, *of_condition]
    return Statement(table, row_id, kind, text, values, PARTIQL_UPDATE)


class Statements:
    """Gathers the statements of all tables of one client. clock: monotonic seconds.

    Urgent ones, which must do no harm if they are done twice, have calls of their own, so that they
    never wait for others.
    """

    def __init__(self, client: Client, clock: Clock = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._usual, self._urgent = (
            Gatherer(
                partial(self._send, urgent),
                max_entries=MAX_STATEMENTS,
                at_once=AT_ONCE,
                patience=PATIENCE,
            )
            for urgent in (False, True)
        )
        #: The tables on which statements work, and when those were tried on which they do not.
        self._usable: set[str] = set()
        self._refused_at: dict[str, float] = {}
        self._backoff = Backoff(0.5, 10.0)
        self._resumes_at = 0.0

    def try_out(self, table: str) -> None:
        """Find out whether statements work on the table, by some that change nothing.

        Until then, and where they do not, none is sent.
        """
        refused_at = self._refused_at.get(table)
        if table in self._usable or (
            refused_at is not None and self._clock() < refused_at + TRIED_AGAIN
        ):
            return
        for right in STATEMENT_RIGHTS:
            try:
                # Whatever fails here, no job needs it.
                try_right(self._client, right, table, expected=lambda error: True)
            except CallError as error:
                self._do_without(table, right, error)
                return
        self._usable.add(table)
        if self._refused_at.pop(table, None) is not None:
            log.info("statements work now, and are gathered", table=table)

    def run(
        self, statement: Statement, *, urgent: bool = False, within: float | None = None
    ) -> bool:
        """Returns whether it is done. False: it is not, or nobody knows. within: see Gatherer."""
        if statement.table not in self._usable or self._clock() < self._resumes_at:
            return False
        if urgent:
            return self._urgent.run(statement, URGENT_WITHIN, abandon=True)
        return self._usual.run(statement, within)

    def close(self, timeout: float) -> None:
        """Send what waits, for up to `timeout` seconds, and nothing afterwards."""
        until = self._clock() + timeout
        self._usual.close(timeout)
        self._urgent.close(max(0.0, until - self._clock()))

    def _send(self, urgent: bool, statements: Sequence[Statement]) -> Sequence[bool]:
        try:
            response = self._client.call(
                _OPERATION,
                urgent=urgent,
                expected=is_denied,
                Statements=[
                    {"Statement": one.text, "Parameters": one.parameters} for one in statements
                ],
            )
        except CallError as failure:
            self._failed(failure, statements)
            return [False] * len(statements)
        answers = response.get("Responses", ())
        if len(answers) != len(statements):
            # As of a response that ended early. Each row tells what became of it.
            return [False] * len(statements)
        errors = [_error(answer) for answer in answers]
        for statement, error in zip(statements, errors, strict=True):
            if error is not None and is_denied(error):
                self._do_without(statement.table, statement.right, error)
        if all(error is None or error_code(error) in _ANSWERS for error in errors):
            self._backoff.succeeded()
        else:
            self._pause()
        return [error is None for error in errors]

    def _failed(self, error: Exception, statements: Sequence[Statement]) -> None:
        if is_denied(error):
            for one in statements:
                self._do_without(one.table, one.right, error)
            return
        self._pause()
        for lane in (self._usual, self._urgent):
            lane.give_up()

    def _pause(self) -> None:
        """The service fails: make it no extra calls for a moment."""
        self._resumes_at = self._clock() + self._backoff.failed()

    def _do_without(self, table: str, right: Right, error: Exception) -> None:
        is_news = table in self._usable or table not in self._refused_at
        self._usable.discard(table)
        self._refused_at[table] = self._clock()
        if not is_news:
            return
        if is_denied(error):
            log.warning(
                "a permission is missing", table=table, permission=right.action, so=right.lack
            )
        else:
            log.info("statements do not work here", table=table, reason=str(error), so=right.lack)


def _error(answer: Any) -> ClientError | None:
    """Why that statement was not done, None if it was."""
    return ClientError(answer, _OPERATION) if "Error" in answer else None
