"""A DynamoDB in memory, for tests that make thousands of calls: the operations and expressions that `Table` uses.

It passes the same tests as moto's: `test_dynamodb` and `test_task_store` run over both.
"""

import operator
import re
import threading
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError

Attributes = dict[str, Any]
"""An item in DynamoDB's own form: {"pk": {"S": "…"}, …}."""

PAGE_BYTES = 1_048_576
ITEM_BYTES = 409_600
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class ConditionalCheckFailed(ClientError):
    pass


class TransactionConflict(ClientError):
    pass


class MemoryDynamoDB:
    """As much of a boto3 `dynamodb` client as `crowdsight.dynamodb.Table` calls."""

    exceptions = SimpleNamespace(
        ConditionalCheckFailedException=ConditionalCheckFailed, TransactionConflictException=TransactionConflict
    )

    def __init__(self) -> None:
        self._tables: dict[str, dict[tuple[str, str], Attributes]] = {}
        self._lock = threading.Lock()

    def create_table(self, TableName: str, **_: Any) -> None:
        self._tables[TableName] = {}

    def get_item(self, **request: Any) -> dict[str, Any]:
        item = self._tables[request["TableName"]].get(_key(request["Key"]))
        return {"Item": item} if item else {}

    def put_item(self, **request: Any) -> dict[str, Any]:
        return self._write_one("Put", request)

    def update_item(self, **request: Any) -> dict[str, Any]:
        return self._write_one("Update", request)

    def delete_item(self, **request: Any) -> dict[str, Any]:
        return self._write_one("Delete", request)

    def batch_get_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:
        ((table, request),) = RequestItems.items()
        keys = _distinct(request["Keys"], 100)
        found = [item for key in keys if (item := self._tables[table].get(key))]
        return {"Responses": {table: found}, "UnprocessedKeys": {}}

    def batch_write_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:
        ((table, requests),) = RequestItems.items()
        writes = [next(iter(request.items())) for request in requests]
        _distinct([write.get("Item") or write["Key"] for _, write in writes], 25)
        for kind, write in writes:
            self._write_one(kind.removesuffix("Request"), {"TableName": table, **write})
        return {"UnprocessedItems": {}}

    def transact_write_items(self, TransactItems: list[dict[str, Any]]) -> dict[str, Any]:
        with self._lock:
            writes = [next(iter(step.items())) for step in TransactItems]
            keys = [(request["TableName"], _key(request.get("Item") or request["Key"])) for _, request in writes]
            if len(set(keys)) < len(keys) or len(keys) > 100:
                raise _invalid("TransactWriteItems", "a transaction writes at most 100 items, each once")
            changes = [self._change(kind, request) for kind, request in writes]
            if None in changes:
                reasons = [{"Code": "None" if change else "ConditionalCheckFailed"} for change in changes]
                error = {"Code": "TransactionCanceledException", "Message": ""}
                raise ClientError({"Error": error, "CancellationReasons": reasons}, "TransactWriteItems")
            for change in changes:
                assert change
                change()
        return {}

    def query(self, **request: Any) -> dict[str, Any]:
        with self._lock:
            items = list(self._tables[request["TableName"]].values())
        index = request.get("IndexName")
        pk, sk = (f"{index}_pk", f"{index}_sk") if index else ("pk", "sk")
        words = _Words(request["KeyConditionExpression"], request)
        matches = _condition(words)
        words.expect_all_used()

        def position(item: Mapping[str, Any]) -> tuple[Any, ...]:
            return (_plain(item[sk]), _plain(item["pk"]), _plain(item["sk"]))

        newest_first = not request.get("ScanIndexForward", True)
        found = sorted((item for item in items if pk in item and sk in item and matches(item)), key=position)
        if newest_first:
            found.reverse()
        if start := request.get("ExclusiveStartKey"):
            at = position(start)
            found = [item for item in found if (position(item) < at if newest_first else position(item) > at)]
        page: list[Attributes] = []
        size_bytes = 0
        for item in found:
            page.append(item)
            size_bytes += _size_bytes(item)
            if len(page) == request.get("Limit") or size_bytes > PAGE_BYTES:
                return {"Items": page, "LastEvaluatedKey": {name: item[name] for name in {"pk", "sk", pk, sk}}}
        return {"Items": page}

    def scan(self, **request: Any) -> dict[str, Any]:
        with self._lock:
            items = sorted(self._tables[request["TableName"]].items())
        words = _Words(request["FilterExpression"], request)
        passes = _condition(words)
        words.expect_all_used()
        names = re.findall(r"\w+", request["ProjectionExpression"])
        page: list[Attributes] = []
        size_bytes = 0
        for key, item in items:
            if "ExclusiveStartKey" in request and key <= _key(request["ExclusiveStartKey"]):
                continue
            size_bytes += _size_bytes(item)
            if passes(item):
                page.append({name: item[name] for name in names})
            if size_bytes > PAGE_BYTES:
                return {"Items": page, "LastEvaluatedKey": {name: item[name] for name in ("pk", "sk")}}
        return {"Items": page}

    def _write_one(self, kind: str, request: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            change = self._change(kind, request)
            if change is None:
                error = {"Code": "ConditionalCheckFailedException", "Message": "The conditional request failed"}
                raise ConditionalCheckFailed({"Error": error}, kind)
            return {"Attributes": change()}

    def _change(self, kind: str, request: dict[str, Any]) -> Callable[[], Attributes] | None:
        """What writes the item, or None if its condition does not hold."""
        table = self._tables[request["TableName"]]
        key = _key(request.get("Item") or request["Key"])
        before = table.get(key, {})
        words = _Words(request.get("ConditionExpression", ""), request)
        if words.left and not _condition(words)(before):
            return None
        if kind == "Put":
            after = request["Item"]
        elif kind == "Update":
            words.read(request["UpdateExpression"])
            after = _updated(words, before or request["Key"])
        else:
            after = before
        words.expect_all_used()
        if _size_bytes(after) > ITEM_BYTES:
            raise _invalid(kind, "Item size has exceeded the maximum allowed size")

        def write() -> Attributes:
            if kind == "Delete":
                table.pop(key, None)
            elif kind != "ConditionCheck":
                table[key] = after
            return after

        return write


class _Words:
    """An expression's words, with what its names and values stand for."""

    def __init__(self, expression: str, request: dict[str, Any]) -> None:
        self._names: dict[str, str] = request.get("ExpressionAttributeNames", {})
        self._values: dict[str, Any] = request.get("ExpressionAttributeValues", {})
        self._used: set[str] = set()
        self.left: list[str] = []
        self.read(expression)

    def read(self, expression: str) -> None:
        self.left = re.findall(r"[#:]?\w+|<>|<=|>=|[=<>(),]", expression)

    def next(self, *expected: str) -> str:
        word = self.left.pop(0)
        if expected and word not in expected:
            raise _invalid("Expression", f"{word} where {' or '.join(expected)} should be")
        return word

    def next_is(self, word: str) -> bool:
        if not self.left or self.left[0] != word:
            return False
        self.left.pop(0)
        return True

    def name(self) -> str:
        word = self.next()
        self._used.add(word)
        return self._names[word] if word.startswith("#") else word

    def operand(self) -> Callable[[Attributes], Any]:
        """A value as it is in an item, None if the item has no such attribute."""
        if self.left[0].startswith(":"):
            word = self.next()
            self._used.add(word)
            value = self._values[word]
            return lambda item: value
        name = self.name()
        return lambda item: item.get(name)

    def expect_all_used(self) -> None:
        if unused := {*self._names, *self._values} - self._used:
            raise _invalid("Expression", f"not used: {', '.join(sorted(unused))}")


def _condition(words: _Words) -> Callable[[Attributes], bool]:
    either = [_all_of(words)]
    while words.next_is("OR"):
        either.append(_all_of(words))
    if words.left:
        raise _invalid("ConditionExpression", f"{words.left[0]} is too much")
    return lambda item: any(condition(item) for condition in either)


def _all_of(words: _Words) -> Callable[[Attributes], bool]:
    conditions = [_term(words)]
    while words.next_is("AND"):
        conditions.append(_term(words))
    return lambda item: all(condition(item) for condition in conditions)


def _term(words: _Words) -> Callable[[Attributes], bool]:
    if words.left[0] in ("attribute_exists", "attribute_not_exists", "begins_with"):
        kind = words.next()
        words.next("(")
        name = words.name()
        if kind == "begins_with":
            words.next(",")
            prefix = words.operand()
            words.next(")")
            return lambda item: name in item and _plain(item[name]).startswith(_plain(prefix(item)))
        words.next(")")
        return lambda item: (name in item) == (kind == "attribute_exists")
    left = words.operand()
    sign = words.next(*_COMPARISONS, "<>", "BETWEEN")
    right = words.operand()
    if sign == "BETWEEN":
        words.next("AND")
        high = words.operand()
        return lambda item: _holds("<=", right(item), left(item)) and _holds("<=", left(item), high(item))
    if sign == "<>":
        return lambda item: left(item) != right(item)
    return lambda item: _holds(sign, left(item), right(item))


def _holds(sign: str, left: Any, right: Any) -> bool:
    """A comparison; what is missing or of another type compares with nothing."""
    return bool(left and right and left.keys() == right.keys() and _COMPARISONS[sign](_plain(left), _plain(right)))


def _updated(words: _Words, before: Attributes) -> Attributes:
    after = dict(before)
    clause = words.next("SET", "ADD", "REMOVE")
    while True:
        name = words.name()
        if clause == "SET":
            words.next("=")
            after[name] = words.operand()(before)
        elif clause == "ADD":
            amount = _plain(words.operand()(before))
            after[name] = {"N": str(_plain(before[name]) + amount if name in before else amount)}
        else:
            after.pop(name, None)
        if not words.left:
            return after
        if not words.next_is(","):
            clause = words.next("SET", "ADD", "REMOVE")


def _plain(value: Mapping[str, Any]) -> Any:
    """A string as its UTF-8 bytes, by which DynamoDB compares, a number as int."""
    ((kind, content),) = value.items()
    return int(content) if kind == "N" else content.encode() if kind == "S" else content


def _key(item: Mapping[str, Any]) -> tuple[str, str]:
    return item["pk"]["S"], item["sk"]["S"]


def _distinct(keys: list[dict[str, Any]], most: int) -> list[tuple[str, str]]:
    """The keys of a batch."""
    distinct = {_key(key) for key in keys}
    if not keys or len(keys) > most or len(distinct) < len(keys):
        raise _invalid("Batch", f"a batch has 1 to {most} keys, each once")
    return list(distinct)


def _size_bytes(value: Any) -> int:
    """About as DynamoDB counts: names and texts in UTF-8, bytes as they are."""
    if isinstance(value, dict):
        return sum(len(name.encode()) + _size_bytes(each) for name, each in value.items())
    if isinstance(value, bytes | bytearray):
        return len(value)
    if isinstance(value, list | set | frozenset):
        return sum(map(_size_bytes, value))
    return len(str(value).encode())


def _invalid(operation: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": "ValidationException", "Message": message}}, operation)
