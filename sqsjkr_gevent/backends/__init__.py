"""Lock and throttle stores; each module holds a locker and a throttler."""
