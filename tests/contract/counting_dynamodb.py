"""A DynamoDB in memory that counts how often it is asked."""

from typing import Any

from tests.contract.memory_dynamodb import MemoryDynamoDB


class CountingDynamoDB(MemoryDynamoDB):
    """Counts the calls, and the items that they read."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []
        self.read = 0

    def get_item(self, **request: Any) -> dict[str, Any]:
        self.calls.append("get_item")
        return super().get_item(**request)

    def batch_get_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:
        self.calls.append("batch_get_item")
        answer = super().batch_get_item(RequestItems)
        self.read += sum(len(items) for items in answer["Responses"].values())
        return answer

    def query(self, **request: Any) -> dict[str, Any]:
        self.calls.append("query")
        answer = super().query(**request)
        self.read += len(answer["Items"])
        return answer
