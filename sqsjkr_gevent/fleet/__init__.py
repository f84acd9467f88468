"""Several kickers on one host, supervised by gunicorn and seen as one."""
