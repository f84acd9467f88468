"""What `sqsjkr-gevent --processes` gives gunicorn."""

from sqsjkr_gevent.fleet.settings import settings

globals().update(settings())
