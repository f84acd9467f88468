"""The errors that the simulated services answer with, as botocore raises them."""

from typing import Any

from botocore.exceptions import ClientError


def refusal(operation: str, code: str, text: str = "", status: int = 400, **more: Any) -> Exception:
    """The error for a response with that code and status. more: further parts of the response."""
    return ClientError(
        {
            "Error": {"Code": code, "Message": text or code},
            "ResponseMetadata": {"HTTPStatusCode": status},
            **more,
        },
        operation,
    )
