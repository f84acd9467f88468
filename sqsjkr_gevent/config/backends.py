"""The backends of [locker] and [throttler]: the one list of them."""

#: Each is the name in the config, and the module in `stores` that has its class `Backend`.
BACKENDS = ("dynamodb", "redis", "sqlite", "memory", "none")
