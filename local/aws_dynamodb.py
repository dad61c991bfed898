"""moto's DynamoDB made fit for many writers: serial, with real transactions, and quick.

moto 5.2 as it comes
- restores a copy of the whole table when a transaction fails, and with it undoes what other threads wrote meanwhile;
- changes items in place while another thread reads, sorts or serializes them;
- sorts the whole table for each query;
- spends most of each call on routing, parsing and serializing by botocore's model;
- imports a module for each value of each answer.
Here one lock covers every operation; a transaction evaluates all its conditions, then writes; a query looks only at the
items that it gives, which are kept in order; and calls on items skip the generic layers.
"""

import copy
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from inspect import signature
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.dynamodb import responses
from moto.dynamodb.comparisons import get_filter_expression
from moto.dynamodb.exceptions import (
    ConditionalCheckFailed,
    MultipleTransactionsException,
    TooManyTransactionsException,
    TransactionCanceledException,
    TransactWriteSingleOpException,
)
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import Table
from moto.dynamodb.models.utilities import DynamoJsonEncoder, dynamo_to_dict

from local.http_server import Request, Response
from local.sorted_items import SortedItems

ACCOUNT_ID = "123456789012"
REGION = "us-east-1"
TARGET_PREFIX = "DynamoDB_20120810."
MAX_TRANSACTION_STEPS = 100
SORTED_ITEMS = "_crowdsight_sorted_items"
ITEM_ACTIONS = {
    "GetItem": "get_item",
    "PutItem": "put_item",
    "UpdateItem": "update_item",
    "DeleteItem": "delete_item",
    "Query": "query",
    "Scan": "scan",
    "BatchGetItem": "batch_get_item",
    "BatchWriteItem": "batch_write_item",
    "TransactGetItems": "transact_get_items",
    "TransactWriteItems": "transact_write_items",
}

_lock = threading.RLock()
_narrowed = threading.local()


@cache
def install() -> None:
    """Change moto in this process, before it serves; again changes nothing."""
    responses.TRANSACTION_MAX_ITEMS = MAX_TRANSACTION_STEPS
    responses.dynamo_to_dict = to_wire  # type: ignore[assignment, attr-defined]
    DynamoDBBackend.transact_write_items = transact_write_items  # type: ignore[assignment, method-assign]

    call_any_action = responses.DynamoHandler.call_action

    def call_action(handler: responses.DynamoHandler) -> Any:
        with _lock:
            return call_any_action(handler)

    responses.DynamoHandler.call_action = call_action  # type: ignore[method-assign]

    all_items, query = Table.all_items, Table.query
    query_signature = signature(query)
    put_item, delete_item, update_item = Table.put_item, Table.delete_item, DynamoDBBackend.update_item

    def narrowed_items(table: Table) -> list[Item]:
        candidates: list[Item] | None = getattr(_narrowed, "items", None)
        return all_items(table) if candidates is None else candidates

    def narrowed_query(table: Table, *arguments: Any, **options: Any) -> Any:
        asked = query_signature.bind(table, *arguments, **options).arguments
        with _narrowed_to(_candidates(table, asked)):
            return query(table, *arguments, **options)

    def noted_put(table: Table, item_attrs: dict[str, Any], *arguments: Any, **options: Any) -> Any:
        item = put_item(table, item_attrs, *arguments, **options)
        _note(table, item_attrs)
        return item

    def noted_delete(table: Table, hash_key: DynamoType, range_key: DynamoType | None) -> Any:
        item = delete_item(table, hash_key, range_key)
        _sorted_items(table).note(hash_key, range_key)
        return item

    def noted_update(backend: DynamoDBBackend, table_name: str, key: dict[str, Any], *more: Any, **options: Any) -> Any:
        try:
            return update_item(backend, table_name, key, *more, **options)
        finally:
            _note(backend.get_table(table_name), key)

    Table.all_items = narrowed_items  # type: ignore[assignment, method-assign]
    Table.query = narrowed_query  # type: ignore[assignment, method-assign]
    Table.put_item = noted_put  # type: ignore[assignment, method-assign]
    Table.delete_item = noted_delete  # type: ignore[assignment, method-assign]
    DynamoDBBackend.update_item = noted_update  # type: ignore[assignment, method-assign]


def to_wire(value: Any) -> Any:
    """The same as moto's `dynamo_to_dict`, which is left what is rare."""
    if isinstance(value, DynamoType) and value.type not in ("B", "BS"):
        return {value.type: to_wire(value.value)}
    if isinstance(value, dict):
        return {name: to_wire(member) for name, member in value.items()}
    if isinstance(value, list):
        return [to_wire(member) for member in value]
    if isinstance(value, str | int):
        return value
    return dynamo_to_dict(value)


def answer(request: Request) -> Response | None:
    """The answer to a call on items; None for any other request, which goes moto's usual way."""
    action = ITEM_ACTIONS.get(request.header("x-amz-target").removeprefix(TARGET_PREFIX))
    if action is None or not request.header("x-amz-target").startswith(TARGET_PREFIX):
        return None
    handler = responses.DynamoHandler()
    handler.region = REGION
    handler.current_account = ACCOUNT_ID
    handler.body = handler.params = json.loads(request.body)
    headers = [("Content-Type", "application/x-amz-json-1.0")]
    try:
        with _lock:
            body = json.dumps(getattr(handler, action)().result, cls=DynamoJsonEncoder)
    except JsonRESTError as error:
        return Response(error.code, error.description.encode(), headers)
    return Response(200, body.encode(), headers)


@contextmanager
def _narrowed_to(items: list[Item] | None) -> Iterator[None]:
    _narrowed.items = items
    try:
        yield
    finally:
        _narrowed.items = None


def _sorted_items(table: Table) -> SortedItems:
    sorted_items: SortedItems | None = vars(table).get(SORTED_ITEMS)
    if sorted_items is None or sorted_items.is_outdated():
        sorted_items = SortedItems(table)
        setattr(table, SORTED_ITEMS, sorted_items)
    return sorted_items


def _note(table: Table, key: dict[str, Any]) -> None:
    """`key`: at least the key's attributes, as on the wire."""
    range_key = DynamoType(key[table.range_key_attr]) if table.range_key_attr else None
    _sorted_items(table).note(DynamoType(key[table.hash_key_attr]), range_key)


def _candidates(table: Table, asked: dict[str, Any]) -> list[Item] | None:
    """The items that a query is about, and one more, or None when there is no telling. `asked`: its arguments."""
    index_name, hash_keys = asked.get("index_name"), asked.get("hash_key_conditions") or []
    condition = (asked["range_comparison"], asked["range_objs"])
    sorted_items = _sorted_items(table)
    if asked.get("filter_kwargs") or len(hash_keys) != 1 or not sorted_items.can_find(index_name, condition):
        return None
    return sorted_items.find(
        index_name,
        hash_keys[0][1].cast_value,
        condition,
        asked["exclusive_start_key"],
        asked["scan_index_forward"] is not False,
        None if asked["limit"] is None else int(asked["limit"]) + 1,
    )


def transact_write_items(backend: DynamoDBBackend, transact_items: list[dict[str, Any]]) -> None:
    """All of the writes, or none.

    Raises TransactionCanceledException with one reason a step, in order. A write that turns out to be invalid
    puts back the items already written.
    """
    if len(transact_items) > MAX_TRANSACTION_STEPS:
        raise TooManyTransactionsException()
    steps = [_step(backend, item) for item in transact_items]
    if len({identity for _, _, _, identity in steps}) < len(steps):
        raise MultipleTransactionsException()
    with _lock:
        reasons = [_cancellation_reason(backend, operation, key) for _, operation, key, _ in steps]
        if any(code for code, _, _ in reasons):
            raise TransactionCanceledException(reasons)
        befores = [
            (operation["TableName"], key, copy.deepcopy(backend.get_item(operation["TableName"], key)))
            for _, operation, key, _ in steps
        ]
        try:
            for action, operation, key, _ in steps:
                _write(backend, action, operation, key)
        except Exception:
            for table_name, key, before in befores:
                _put_back(backend, table_name, key, before)
            raise


def _step(backend: DynamoDBBackend, item: dict[str, Any]) -> tuple[str, dict[str, Any], dict[str, Any], str]:
    if len(item) != 1:
        raise TransactWriteSingleOpException()
    [(action, operation)] = item.items()
    key = operation.get("Key")
    if key is None:
        table = backend.get_table(operation["TableName"])
        key = {name: operation["Item"][name] for name in table.table_key_attrs}
    return action, operation, key, json.dumps([operation["TableName"], key], sort_keys=True, cls=DynamoJsonEncoder)


def _cancellation_reason(backend: DynamoDBBackend, operation: dict[str, Any], key: dict[str, Any]) -> tuple[Any, ...]:
    current = backend.get_item(operation["TableName"], key)
    condition = get_filter_expression(
        operation.get("ConditionExpression"),
        operation.get("ExpressionAttributeNames"),
        operation.get("ExpressionAttributeValues"),
    )
    if condition.expr(current):
        return (None, None, None)
    wants_item = operation.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
    return (
        "ConditionalCheckFailed",
        str(ConditionalCheckFailed().message),
        current.to_json()["Attributes"] if wants_item and current else None,
    )


def _write(backend: DynamoDBBackend, action: str, operation: dict[str, Any], key: dict[str, Any]) -> None:
    if action == "Put":
        backend.put_item(operation["TableName"], operation["Item"], overwrite=True)
    elif action == "Delete":
        backend.delete_item(operation["TableName"], key)
    elif action == "Update":
        backend.update_item(
            operation["TableName"],
            key,
            update_expression=operation["UpdateExpression"],
            expression_attribute_names=operation.get("ExpressionAttributeNames") or {},
            expression_attribute_values=operation.get("ExpressionAttributeValues") or {},
        )


def _put_back(backend: DynamoDBBackend, table_name: str, key: dict[str, Any], before: Item | None) -> None:
    table = backend.get_table(table_name)
    hash_key, range_key = backend.get_keys_value(table, key)
    if before is None:
        table.delete_item(hash_key, range_key)
        return
    if range_key is not None:
        table.items[hash_key][range_key] = before
    else:
        table.items[hash_key] = before  # type: ignore[assignment]
    _sorted_items(table).note(hash_key, range_key)
