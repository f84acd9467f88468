"""Access control: the Host header must name this host, and the token must match if there is one."""

import hmac
from base64 import b64encode
from hashlib import sha256

from flask import (
    Flask,
    Response,
    jsonify,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from werkzeug.wrappers import Response as AnyResponse

from .hosts import Hosts, name_of

#: Public endpoints, under any host name, for load balancers and sqsjkr's stats clients. They show
#: nothing about single jobs.
OPEN = frozenset({"healthz", "stats_v1", "stats_v2"})
#: Endpoints that need no token.
TOKENLESS = OPEN | {"login"}

#: Only our own files, and no framing of the page.
#: https://www.w3.org/TR/CSP3/
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)

_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

#: The login page's style, inline because static files need the token.
_STYLE = """
body { margin: 0; min-height: 100vh; display: grid; place-items: center;
  font: 16px/1.5 system-ui, sans-serif; color-scheme: light dark; }
main { width: min(22rem, 100vw - 2rem); }
h1 { font-size: 1.25rem; }
label { display: block; }
input, button { box-sizing: border-box; width: 100%; margin-top: .5rem; padding: .6rem;
  font: inherit; }
[role=alert] { font-weight: 600; }
"""
_STYLE_HASH = b64encode(sha256(_STYLE.encode()).digest()).decode()


def add_access(app: Flask, token: str | None, hosts: Hosts) -> None:
    """Guard all endpoints of the app except OPEN. token: None if none is required."""

    @app.after_request
    def harden(response: Response) -> Response:
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        if request.endpoint != "static":
            response.headers.setdefault("Cache-Control", "no-store")
        return response

    @app.before_request
    def check_host() -> AnyResponse | None:
        host = request.headers.get("Host")
        if request.endpoint in OPEN or _has_token(token) or hosts.knows(host):
            return None
        return _refused(
            421,
            f"unknown host name {name_of(host or '')}: use the address, or add the name to "
            f"kicker.stats_hosts",
        )

    if token is not None:
        _guard(app, token)


def _guard(app: Flask, token: str) -> None:
    session = hmac.new(token.encode(), b"sqsjkr-gevent page", sha256).hexdigest()
    # Cookies do not depend on the port, so kickers with other tokens need another cookie name.
    cookie = f"sqsjkr_{sha256(session.encode()).hexdigest()[:8]}"

    @app.before_request
    def guard() -> AnyResponse | None:
        if request.endpoint in TOKENLESS or _is_authorized(token, cookie, session):
            return None
        if request.endpoint == "page":
            return redirect(url_for("login"))
        response = _refused(401, "kicker.stats_token required: send Authorization: Bearer TOKEN")
        response.headers["WWW-Authenticate"] = 'Bearer realm="sqsjkr-gevent"'
        return response

    @app.route("/login", methods=["GET", "POST"])
    def login() -> AnyResponse:
        if request.method == "GET":
            return _form(wrong=False)
        if not _same(request.form.get("token", ""), token):
            return _form(wrong=True)
        response = redirect(url_for("page"))
        # Not the token itself; it expires when the browser closes.
        response.set_cookie(
            cookie,
            session,
            httponly=True,
            samesite="Strict",
            secure=request.is_secure,
            path=request.script_root or "/",
        )
        return response


def _form(*, wrong: bool) -> Response:
    page = render_template("login.html", wrong=wrong, style=_STYLE)
    response = make_response(page, 401 if wrong else 200)
    style = f"style-src 'sha256-{_STYLE_HASH}'"
    response.headers["Content-Security-Policy"] = POLICY.replace("style-src 'self'", style)
    return response


def _refused(status: int, reason: str) -> Response:
    response = jsonify(error=reason)
    response.status_code = status
    return response


def _is_authorized(token: str, cookie: str, session: str) -> bool:
    return _has_token(token) or _same(request.cookies.get(cookie, ""), session)


def _has_token(token: str | None) -> bool:
    """Whether the request has the token in its header, which browsers never add by themselves."""
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    return token is not None and scheme.lower() == "bearer" and _same(given.strip(), token)


def _same(one: str, other: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(one.encode(), other.encode())
