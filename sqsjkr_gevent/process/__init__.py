"""Running one command; knows nothing of queues."""
