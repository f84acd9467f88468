"""The keywords of Config.new, with their types, for type checkers and editors.

At run time config.names knows them from the sections; a test holds that both are the same.
"""

from collections.abc import Sequence
from typing import Literal, TypedDict

#: Seconds, or text such as "1m30s".
Duration = float | str


class Keywords(TypedDict, total=False):
    """Each key under all its names. None means not given."""

    account_id: str | int | None
    region: str | None
    account_region: str | None
    profile: str | None
    account_profile: str | None
    endpoint_url: str | None
    account_endpoint_url: str | None
    transport: Literal["auto", "botocore"] | None
    account_transport: Literal["auto", "botocore"] | None

    queue_name: str | None
    sqs_queue_name: str | None
    receivers: int | None
    sqs_receivers: int | None
    wait_time: Duration | None
    sqs_wait_time: Duration | None
    visibility_timeout: Duration | None
    sqs_visibility_timeout: Duration | None
    delivery: Literal["at_least_once", "at_most_once"] | None
    sqs_delivery: Literal["at_least_once", "at_most_once"] | None
    dead_letter_queue: str | None
    sqs_dead_letter_queue: str | None

    max_concurrent_num: int | None
    kicker_max_concurrent_num: int | None
    life_time_trigger: str | None
    kicker_life_time_trigger: str | None
    stats_port: int | Literal["any"] | None
    kicker_stats_port: int | Literal["any"] | None
    stats_socket: str | None
    kicker_stats_socket: str | None
    stats_host: str | None
    kicker_stats_host: str | None
    stats_hosts: Sequence[str] | None
    kicker_stats_hosts: Sequence[str] | None
    stats_token: str | None
    kicker_stats_token: str | None
    kill_over_life_time: bool | None
    kicker_kill_over_life_time: bool | None
    timeout: Duration | None
    kicker_timeout: Duration | None
    kill_grace: Duration | None
    kicker_kill_grace: Duration | None
    shutdown_timeout: Duration | None
    kicker_shutdown_timeout: Duration | None
    output_limit: int | None
    kicker_output_limit: int | None
    inherit_env: bool | Sequence[str] | None
    kicker_inherit_env: bool | Sequence[str] | None
    max_waiting: int | None
    kicker_max_waiting: int | None
    launcher: Literal["auto", "spawn", "plain"] | None
    kicker_launcher: Literal["auto", "spawn", "plain"] | None

    locker_backend: str | None
    locker_table: str | None
    lease: Duration | None
    locker_lease: Duration | None
    retry_interval: Duration | None
    locker_retry_interval: Duration | None

    throttler_backend: str | None
    throttler_table: str | None
    retention: Duration | None
    throttler_retention: Duration | None

    url: str | None
    redis_url: str | None

    exit_codes: Sequence[int] | Literal["any"] | None
    retry_exit_codes: Sequence[int] | Literal["any"] | None
    max_attempts: int | None
    retry_max_attempts: int | None
    backoff: Duration | None
    retry_backoff: Duration | None
    max_backoff: Duration | None
    retry_max_backoff: Duration | None

    path: str | None
    history_path: str | None
    keep: Duration | None
    history_keep: Duration | None

    level: str | None
    log_level: str | None
    format: Literal["text", "json"] | None
    log_format: Literal["text", "json"] | None
