"""Serves Optuna Dashboard for a study; the pages are read-only unless asked otherwise."""

from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from optuna_dashboard import wsgi

from nas_kd.errors import Unusable
from nas_kd.study.database import Ledger
from nas_kd.study.folder import StudyFolder

App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def reading_only(app: App) -> App:
    """The same pages, but whatever would change the study is refused."""

    def guarded(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            return app(environ, start_response)
        start_response("403 Forbidden", [("Content-Type", "text/plain; charset=utf-8")])
        return [b"This dashboard only reads. Start it with --writable to change the study.\n"]

    return guarded


LOOPBACK = ("127.0.0.1", "localhost", "::1")


def asked_by_name(app: App, host: str) -> App:
    """The same pages, but only for requests that name this host: a page of somebody else's that
    has its own name lead here could else read the study."""
    names = {*LOOPBACK, host}

    def guarded(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        name = environ.get("HTTP_HOST", "").rsplit(":", 1)[0].strip("[]")
        if host not in LOOPBACK or name in names:
            return app(environ, start_response)
        start_response("403 Forbidden", [("Content-Type", "text/plain; charset=utf-8")])
        return [f"This dashboard answers to {host}, not to {name}.\n".encode()]

    return guarded


class Server(ThreadingMixIn, WSGIServer):
    """Answers several requests at once; ends with the program."""

    daemon_threads = True


class Handler(WSGIRequestHandler):
    """Answers without a line in the terminal for each request."""

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def dashboard(folder: StudyFolder, host: str, port: int, writable: bool) -> WSGIServer:
    """A server that is ready to serve. Raises UnusableStudy, or Unusable for a port in use."""
    folder.read_spec()
    app: App = wsgi(Ledger.open(folder.database).storage)
    app = asked_by_name(app if writable else reading_only(app), host)
    try:
        return make_server(host, port, app, Server, Handler)
    except OSError as error:
        raise Unusable(
            f"{host}:{port}",
            f"cannot be served ({error.strerror})",
            "Say another --port, or a name or address of this machine as --host.",
        ) from error
