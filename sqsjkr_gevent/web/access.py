"""Who may look: whoever asks by a name of ours, and shows the token where there is one."""

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

#: Endpoints for everybody, by whatever name: load balancers ask for the health, sqsjkr's clients
#: for its stats. They tell nothing of single jobs.
OPEN = frozenset({"healthz", "stats_v1", "stats_v2"})
#: Endpoints that need no token.
TOKENLESS = OPEN | {"login"}

#: Nothing but our own files, and nobody may frame the page.
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


#: Of the login page, which can have no file of its own: those are guarded.
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
    """Guard all of the app but OPEN. token: None asks for none."""

    @app.after_request
    def harden(response: Response) -> Response:
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        if request.endpoint != "static":
            response.headers.setdefault("Cache-Control", "no-store")
        return response

    @app.before_request
    def called_by_name() -> AnyResponse | None:
        host = request.headers.get("Host")
        if request.endpoint in OPEN or _shows(token) or hosts.has(host):
            return None
        return _refused(
            421,
            f"no kicker is called {name_of(host or '')} here: ask by the address, or add the name "
            f"to kicker.stats_hosts",
        )

    if token is not None:
        _guard(app, token)


def _guard(app: Flask, token: str) -> None:
    session = hmac.new(token.encode(), b"sqsjkr-gevent page", sha256).hexdigest()
    # Cookies are of a host, not of a port: kickers of other tokens need names of their own.
    cookie = f"sqsjkr_{sha256(session.encode()).hexdigest()[:8]}"

    @app.before_request
    def guard() -> AnyResponse | None:
        if request.endpoint in TOKENLESS or _is_known(token, cookie, session):
            return None
        if request.endpoint == "page":
            return redirect(url_for("login"))
        answer = _refused(401, "show kicker.stats_token: Authorization: Bearer TOKEN")
        answer.headers["WWW-Authenticate"] = 'Bearer realm="sqsjkr-gevent"'
        return answer

    @app.route("/login", methods=["GET", "POST"])
    def login() -> AnyResponse:
        if request.method == "GET":
            return _form(wrong=False)
        if not _same(request.form.get("token", ""), token):
            return _form(wrong=True)
        answer = redirect(url_for("page"))
        # Not the token itself, and gone with the browser.
        answer.set_cookie(
            cookie,
            session,
            httponly=True,
            samesite="Strict",
            secure=request.is_secure,
            path=request.script_root or "/",
        )
        return answer


def _form(*, wrong: bool) -> Response:
    page = render_template("login.html", wrong=wrong, style=_STYLE)
    answer = make_response(page, 401 if wrong else 200)
    style = f"style-src 'sha256-{_STYLE_HASH}'"
    answer.headers["Content-Security-Policy"] = POLICY.replace("style-src 'self'", style)
    return answer


def _refused(status: int, reason: str) -> Response:
    answer = jsonify(error=reason)
    answer.status_code = status
    return answer


def _is_known(token: str, cookie: str, session: str) -> bool:
    return _shows(token) or _same(request.cookies.get(cookie, ""), session)


def _shows(token: str | None) -> bool:
    """Whether the request has the token in its header, which no browser adds by itself."""
    scheme, _, shown = request.headers.get("Authorization", "").partition(" ")
    return token is not None and scheme.lower() == "bearer" and _same(shown.strip(), token)


def _same(one: str, other: str) -> bool:
    """Compare in a time that tells nothing of where they differ."""
    return hmac.compare_digest(one.encode(), other.encode())
