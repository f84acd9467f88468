"""Several kickers on one host, supervised by gunicorn and shown as one."""
