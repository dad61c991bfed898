"""A gateway's keys in memory; passes the same tests as API Gateway's."""

from uuid import uuid4


class MemoryGatewayKeys:
    """`hashes`: by the gateway's own ids."""

    def __init__(self) -> None:
        self.hashes: dict[str, str] = {}

    def register(self, key_id: str, key_hash: str) -> str:
        gateway_id = uuid4().hex[:10]
        self.hashes[gateway_id] = key_hash
        return gateway_id

    def remove(self, gateway_id: str) -> None:
        self.hashes.pop(gateway_id, None)
