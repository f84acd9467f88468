"""Several kickers under gunicorn: `SQSJKR_CONF=conf.toml gunicorn -c gunicorn.conf.py -w 4`.

SQSJKR_CONF names the config file. Without -w there are SQSJKR_PROCESSES processes, else one for
each CPU. The address of the stats, the slots and all else come from the config file, which a HUP
has read again. What is written below the last line comes before it.
"""

from sqsjkr_gevent.fleet.settings import settings

globals().update(settings())
