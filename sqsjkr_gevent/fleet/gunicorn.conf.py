"""gunicorn's config file for `sqsjkr-gevent --processes`."""

from sqsjkr_gevent.fleet.settings import settings

globals().update(settings())
