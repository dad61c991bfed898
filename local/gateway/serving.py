"""All REST APIs of a deployment, listening."""

from local.gateway.rest_api import RestApi
from local.http_server import Server

BODY_LIMIT_BYTES = 10 * 1024 * 1024


class Gateway:
    """The APIs that are served, each on a port of its own."""

    def __init__(self) -> None:
        self._servers: list[Server] = []

    def serve(self, api: RestApi, port: int) -> str:
        """Serve an API and give its address. Raises OSError when the port is taken."""
        server = Server(api.answer, port, body_limit_bytes=BODY_LIMIT_BYTES)
        self._servers.append(server)
        return server.url

    def close(self) -> None:
        """Give every port back."""
        for server in self._servers:
            server.close()
