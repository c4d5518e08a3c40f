"""The SDK's transport over a Unix socket, with one difference: it says when no connection was made.

A request that never left may be called refused; one that was sent may still be carried out. The
SDK's own connection reports both in the same words, and leaves its socket behind.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from docker.transport.unixconn import UnixHTTPAdapter, UnixHTTPConnection, UnixHTTPConnectionPool
from urllib3.exceptions import NewConnectionError

if TYPE_CHECKING:
    from requests import PreparedRequest


class _Connection(UnixHTTPConnection):
    def connect(self) -> None:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(self.timeout)
            sock.connect(self.unix_socket)
        except OSError as error:
            sock.close()
            raise NewConnectionError(self, f"{self.unix_socket}: {error.strerror or error}") from error
        self.sock = sock


class _Pool(UnixHTTPConnectionPool):
    def _new_conn(self) -> _Connection:  # type: ignore[override]  # the SDK's own override, too
        return _Connection(self.base_url, self.socket_path, self.timeout)  # type: ignore[arg-type]  # the stub knows only numbers


class UnixAdapter(UnixHTTPAdapter):
    """To be mounted for `http+docker://`."""

    def get_connection(self, url: str | bytes | None, proxies: object = None) -> _Pool:
        """The one pool there is, since all requests go to the same socket."""
        with self.pools.lock:
            pool: _Pool | None = self.pools.get("engine")
            if pool is None:
                pool = _Pool("engine", self.socket_path, self.timeout, maxsize=self.max_pool_size)
                self.pools["engine"] = pool
        return pool

    def get_connection_with_tls_context(
        self, request: PreparedRequest, verify: object, proxies: object = None, cert: object = None
    ) -> _Pool:
        """Newer releases of requests ask for the pool here."""
        return self.get_connection(request.url, proxies)
