"""The command `sqsjkr-gevent`. It patches before anything else is imported."""

from gevent import monkey

monkey.patch_all()

from .cli import main  # noqa: E402  (the patch must come first)

if __name__ == "__main__":
    main()
