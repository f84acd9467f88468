"""Several kickers under gunicorn: `SQSJKR_CONF=conf.toml gunicorn -c gunicorn.conf.py -w 4`.

SQSJKR_CONF names the config file. Without -w there are SQSJKR_PROCESSES processes; if that is not
set either, there is one per CPU. The stats address, the slots and everything else come from the
config file, which is read again on SIGHUP. Settings that you add below the last line override it.
"""

from sqsjkr_gevent.fleet.settings import settings

globals().update(settings())
