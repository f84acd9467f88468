"""SQS and DynamoDB on loopback, by moto: the server for local mode and the tests.

Run it only as a child process, `python -m sqsjkr_gevent.local.server`, since moto would block the
hub of the kicker's process. It imports nothing else of the package.

It prints one line, `{"port": N}`, once it listens. It ends when its stdin closes, and so when its
parent ends: give it a pipe as stdin, and keep the other end open.
"""

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
import signal  # noqa: E402
import socket  # noqa: E402
import sys  # noqa: E402
from collections.abc import Callable  # noqa: E402
from typing import Any  # noqa: E402

from gevent.os import tp_read  # noqa: E402
from gevent.pywsgi import WSGIServer  # noqa: E402

HOST = "127.0.0.1"

#: Connections that may wait to be accepted: more than a kicker opens at once.
BACKLOG = 1024


def listening_socket() -> socket.socket:
    """A listening socket on a free port of loopback.

    It sets TCP_NODELAY, which accepted sockets inherit: pywsgi sends headers and body in two
    writes, and Nagle's algorithm would delay the second by 40 ms.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.bind((HOST, 0))
    listener.listen(BACKLOG)
    return listener


def moto_application() -> Callable[..., Any]:
    """Moto as a WSGI application for all AWS services. Raises ImportError if moto is missing."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    return DomainDispatcherApplication(create_backend_app)


def without_statements(application: Callable[..., Any]) -> Callable[..., Any]:
    """The application, which says at once that it does not know BatchExecuteStatement.

    Moto fails at the writes in it with status 500, and clients try that again for seconds.
    """

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        if environ.get("HTTP_X_AMZ_TARGET") != "DynamoDB_20120810.BatchExecuteStatement":
            return application(environ, start_response)
        body = b'{"__type":"com.amazon.coral.service#UnknownOperationException"}'
        headers = [
            ("Content-Type", "application/x-amz-json-1.0"),
            ("Content-Length", str(len(body))),
        ]
        start_response("400 Bad Request", headers)
        return [body]

    return answer


def wait_for_end_of_stdin() -> None:
    """Wait until the parent closes its end of stdin, or ends."""
    while tp_read(sys.stdin.fileno(), 4096):
        pass


def main() -> int:
    """Serve until stdin closes. Returns the exit code."""
    # Ctrl-C reaches the terminal's whole process group, but the draining kicker needs its queue.
    for terminal_signal in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(terminal_signal, signal.SIG_IGN)
    try:
        application = moto_application()
    except ImportError as missing:
        print(
            f'local mode needs moto: pip install "sqsjkr-gevent[local]" ({missing})',
            file=sys.stderr,
        )
        return 2
    listener = listening_socket()
    server = WSGIServer(listener, without_statements(application), log=None)
    server.start()
    print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
    wait_for_end_of_stdin()
    server.stop(timeout=0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
