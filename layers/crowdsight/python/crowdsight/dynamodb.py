"""DynamoDB in plain Python values: str, bytes, int, bool, None, list, dict, set of str.

Every table of ours has a string partition key `pk` and a string sort key `sk`. Reads by key are strongly
consistent. Numbers are integers (money in cents, times in milliseconds); a float is a programming error.
"""

import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import Binary, TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

Item = dict[str, Any]
"""An item's attributes, `pk` and `sk` among them."""

CONFLICT_ATTEMPTS = 12
UNPROCESSED_ATTEMPTS = 12

READ_BATCH_KEYS = 100
WRITE_BATCH_ITEMS = 25
"""DynamoDB's own limits of one batch."""

PASSING_REASONS = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
"""Why a transaction may be cancelled that says nothing about its conditions: it is tried again."""

_serializer = TypeSerializer()
_deserializer = TypeDeserializer()


class ConditionFailed(Exception):
    """The item was not in the state that the write requires; nothing was written."""


class Unprocessed(Exception):
    """DynamoDB left a part of a batch undone, time after time; the rest of it may have been done."""


class TransactionFailed(ConditionFailed):
    """A step's condition did not hold; nothing was written.

    `failed`: the labels of the steps whose conditions failed, in order.
    """

    def __init__(self, failed: list[str]) -> None:
        super().__init__(f"conditions failed: {', '.join(failed)}")
        self.failed = failed


@dataclass(frozen=True)
class Step:
    """One write or check of a transaction; `label` is how `TransactionFailed` names it."""

    label: str
    request: dict[str, Any]


@dataclass(frozen=True)
class Page:
    """Items of a query, and the key to go on from (None at the end)."""

    items: list[Item]
    next_key: Item | None


class Table:
    """One table. Expressions are DynamoDB's own; values and names are given without their `:` and `#`."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self.name = name

    def get(self, pk: str, sk: str) -> Item | None:
        """The item, or None. Strongly consistent."""
        answer = self._client.get_item(
            TableName=self.name, Key=to_attributes({"pk": pk, "sk": sk}), ConsistentRead=True
        )
        return from_attributes(answer["Item"]) if "Item" in answer else None

    def get_many(self, keys: Iterable[tuple[str, str]]) -> list[Item]:
        """The items that there are under these keys (pk, sk), in any order. Strongly consistent. Raises Unprocessed."""
        found: list[Item] = []
        for batch in _batches(list(dict.fromkeys(keys)), READ_BATCH_KEYS):
            waiting = [to_attributes({"pk": pk, "sk": sk}) for pk, sk in batch]
            for attempt in range(UNPROCESSED_ATTEMPTS):
                request = {"Keys": waiting, "ConsistentRead": True}
                answer = self._client.batch_get_item(RequestItems={self.name: request})
                found += [from_attributes(item) for item in answer["Responses"].get(self.name, ())]
                if not answer.get("UnprocessedKeys"):
                    break
                waiting = answer["UnprocessedKeys"][self.name]["Keys"]
                _pause(attempt)
            else:
                raise Unprocessed(f"{len(waiting)} items of {self.name} could not be read")
        return found

    def put_many(self, items: Iterable[Item]) -> None:
        """Write whole items, without conditions and each for itself. Raises Unprocessed."""
        latest = {(item["pk"], item["sk"]): item for item in items}
        self._write_many([{"PutRequest": {"Item": to_attributes(item)}} for item in latest.values()])

    def delete_many(self, keys: Iterable[tuple[str, str]]) -> None:
        """Remove the items under these keys (pk, sk), each for itself. Raises Unprocessed."""
        distinct = dict.fromkeys(keys)
        self._write_many([{"DeleteRequest": {"Key": to_attributes({"pk": pk, "sk": sk})}} for pk, sk in distinct])

    def put(
        self,
        item: Item,
        condition: str | None = None,
        values: Mapping[str, Any] | None = None,
        names: Mapping[str, str] | None = None,
    ) -> None:
        """Write a whole item. Raises ConditionFailed."""
        self._write("put_item", self.put_step("put", item, condition, values, names).request["Put"])

    def update(
        self,
        pk: str,
        sk: str,
        expression: str,
        condition: str | None = None,
        values: Mapping[str, Any] | None = None,
        names: Mapping[str, str] | None = None,
    ) -> Item:
        """Change an item and return all of it as it is then. Raises ConditionFailed."""
        step = self.update_step("update", pk, sk, expression, condition, values, names)
        return from_attributes(self._write("update_item", step.request["Update"] | {"ReturnValues": "ALL_NEW"}))

    def delete(
        self,
        pk: str,
        sk: str,
        condition: str | None = None,
        values: Mapping[str, Any] | None = None,
        names: Mapping[str, str] | None = None,
    ) -> None:
        """Remove an item; without a condition, removing what is not there is no error. Raises ConditionFailed."""
        self._write("delete_item", self.delete_step("delete", pk, sk, condition, values, names).request["Delete"])

    def query(
        self,
        pk: str,
        sk_prefix: str | None = None,
        *,
        sk_between: tuple[str | int, str | int] | None = None,
        index: str | None = None,
        limit: int | None = None,
        newest_first: bool = False,
        start_key: Item | None = None,
    ) -> Page:
        """One page of the items under a partition key, in sort-key order.

        `index`: a global secondary index, whose keys are then `<index>_pk` and `<index>_sk`; its reads are
        eventually consistent, the table's own are strongly consistent.
        """
        pk_name, sk_name = (f"{index}_pk", f"{index}_sk") if index else ("pk", "sk")
        names = {"#pk": pk_name}
        values: dict[str, Any] = {":pk": pk}
        expression = "#pk = :pk"
        if sk_prefix is not None:
            expression += " AND begins_with(#sk, :sk)"
            names["#sk"] = sk_name
            values[":sk"] = sk_prefix
        elif sk_between is not None:
            expression += " AND #sk BETWEEN :low AND :high"
            names["#sk"] = sk_name
            values[":low"], values[":high"] = sk_between
        request: dict[str, Any] = {
            "TableName": self.name,
            "KeyConditionExpression": expression,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": to_attributes(values),
            "ScanIndexForward": not newest_first,
            "ConsistentRead": index is None,
        }
        if index:
            request["IndexName"] = index
        if limit:
            request["Limit"] = limit
        if start_key:
            request["ExclusiveStartKey"] = to_attributes(start_key)
        answer = self._client.query(**request)
        next_key = answer.get("LastEvaluatedKey")
        return Page(
            [from_attributes(item) for item in answer["Items"]], from_attributes(next_key) if next_key else None
        )

    def query_all(
        self,
        pk: str,
        sk_prefix: str | None = None,
        *,
        sk_between: tuple[str | int, str | int] | None = None,
        index: str | None = None,
    ) -> Iterator[Item]:
        """Every item under a partition key, page after page."""
        start_key = None
        while True:
            page = self.query(pk, sk_prefix, sk_between=sk_between, index=index, start_key=start_key)
            yield from page.items
            if page.next_key is None:
                return
            start_key = page.next_key

    def scan_keys(self, sk_prefix: str) -> Iterator[tuple[str, str]]:
        """The keys (pk, sk) of every item whose sort key starts so, in any order. All of the table is read."""
        request = {
            "TableName": self.name,
            "FilterExpression": "begins_with(sk, :sk)",
            "ExpressionAttributeValues": to_attributes({":sk": sk_prefix}),
            "ProjectionExpression": "pk, sk",
            "ConsistentRead": True,
        }
        while True:
            answer = self._client.scan(**request)
            for item in map(from_attributes, answer["Items"]):
                yield item["pk"], item["sk"]
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def put_step(
        self,
        label: str,
        item: Item,
        condition: str | None = None,
        values: Mapping[str, Any] | None = None,
        names: Mapping[str, str] | None = None,
    ) -> Step:
        return Step(label, {"Put": self._request({"Item": to_attributes(item)}, condition, values, names)})

    def update_step(
        self,
        label: str,
        pk: str,
        sk: str,
        expression: str,
        condition: str | None = None,
        values: Mapping[str, Any] | None = None,
        names: Mapping[str, str] | None = None,
    ) -> Step:
        body = {"Key": to_attributes({"pk": pk, "sk": sk}), "UpdateExpression": expression}
        return Step(label, {"Update": self._request(body, condition, values, names)})

    def delete_step(
        self,
        label: str,
        pk: str,
        sk: str,
        condition: str | None = None,
        values: Mapping[str, Any] | None = None,
        names: Mapping[str, str] | None = None,
    ) -> Step:
        body = {"Key": to_attributes({"pk": pk, "sk": sk})}
        return Step(label, {"Delete": self._request(body, condition, values, names)})

    def check_step(
        self,
        label: str,
        pk: str,
        sk: str,
        condition: str,
        values: Mapping[str, Any] | None = None,
        names: Mapping[str, str] | None = None,
    ) -> Step:
        """A step that writes nothing: the others of its transaction are written only if the condition holds."""
        body = {"Key": to_attributes({"pk": pk, "sk": sk})}
        return Step(label, {"ConditionCheck": self._request(body, condition, values, names)})

    def transact(self, steps: list[Step]) -> None:
        """Write all steps (at most 100) or none. Raises TransactionFailed.

        A conflict with another transaction on the same items is tried again, with random pauses of up to about a
        second, because it says nothing about the conditions.
        """
        for attempt in range(CONFLICT_ATTEMPTS):
            try:
                self._client.transact_write_items(TransactItems=[step.request for step in steps])
                return
            except ClientError as error:
                if error.response["Error"]["Code"] != "TransactionCanceledException":
                    raise
                reasons = [reason.get("Code") for reason in error.response.get("CancellationReasons", [])]
                failed = [
                    step.label
                    for step, reason in zip(steps, reasons, strict=False)
                    if reason == "ConditionalCheckFailed"
                ]
                if failed:
                    raise TransactionFailed(failed) from error
                if not PASSING_REASONS.intersection(reasons) or attempt == CONFLICT_ATTEMPTS - 1:
                    raise
                _pause(attempt)

    def _write_many(self, requests: list[dict[str, Any]]) -> None:
        for batch in _batches(requests, WRITE_BATCH_ITEMS):
            waiting = list(batch)
            for attempt in range(UNPROCESSED_ATTEMPTS):
                answer = self._client.batch_write_item(RequestItems={self.name: waiting})
                if not answer.get("UnprocessedItems"):
                    break
                waiting = answer["UnprocessedItems"][self.name]
                _pause(attempt)
            else:
                raise Unprocessed(f"{len(waiting)} items of {self.name} could not be written")

    def _request(
        self,
        body: dict[str, Any],
        condition: str | None,
        values: Mapping[str, Any] | None,
        names: Mapping[str, str] | None,
    ) -> dict[str, Any]:
        request = {"TableName": self.name, **body}
        if condition:
            request["ConditionExpression"] = condition
        if values:
            request["ExpressionAttributeValues"] = to_attributes({f":{name}": value for name, value in values.items()})
        if names:
            request["ExpressionAttributeNames"] = {f"#{name}": attribute for name, attribute in names.items()}
        return request

    def _write(self, operation: str, request: dict[str, Any]) -> Any:
        """One write; a conflict with a transaction, which botocore does not retry, is tried again as in `transact`."""
        exceptions = self._client.exceptions
        for attempt in range(CONFLICT_ATTEMPTS):
            try:
                answer = getattr(self._client, operation)(**request)
                break
            except exceptions.ConditionalCheckFailedException as error:
                raise ConditionFailed(str(error)) from error
            except exceptions.TransactionConflictException:
                if attempt == CONFLICT_ATTEMPTS - 1:
                    raise
                _pause(attempt)
        return answer.get("Attributes", {})


def _batches(members: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(members), size):
        yield members[start : start + size]


def _pause(attempt: int) -> None:
    time.sleep(random.uniform(0, min(1.0, 0.02 * 2**attempt)))


def to_attributes(values: Mapping[str, Any]) -> dict[str, Any]:
    """Plain values as DynamoDB attribute values."""
    return {name: _serializer.serialize(value) for name, value in values.items()}


def from_attributes(attributes: Mapping[str, Any]) -> Item:
    """DynamoDB attribute values as plain ones; numbers become int, binary ones bytes."""
    return {name: _plain(_deserializer.deserialize(value)) for name, value in attributes.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value)
    if isinstance(value, Binary):
        return bytes(value)
    if isinstance(value, list):
        return [_plain(member) for member in value]
    if isinstance(value, dict):
        return {name: _plain(member) for name, member in value.items()}
    return value
