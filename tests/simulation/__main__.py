"""See scripts/simulate."""

from simulation import system

system.install()

from gevent import monkey  # noqa: E402

monkey.patch_all()

from simulation import command  # noqa: E402

command.main()
