from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from crowdsight.dynamodb import (
    ConditionFailed,
    Item,
    Table,
    TransactionFailed,
    Unprocessed,
    from_attributes,
    to_attributes,
)

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**37), 10**37) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(min_size=1), inner, max_size=4),
    max_leaves=10,
)


@given(st.dictionaries(st.text(min_size=1), PLAIN | st.sets(st.text(min_size=1), min_size=1), max_size=4))
def test_plain_values_come_back_as_they_were(values: dict[str, Any]) -> None:
    assert from_attributes(to_attributes(values)) == values


def test_a_float_is_refused() -> None:
    with pytest.raises(TypeError):
        to_attributes({"reward": 0.02})


def test_an_item_that_was_put_is_found_by_both_keys_and_by_no_others(tasks_table: Table) -> None:
    item = {"pk": "a", "sk": "b", "n": 7, "tags": ["x", {"y": None}], "on": True}
    tasks_table.put(item)
    assert tasks_table.get("a", "b") == item
    assert tasks_table.get("a", "c") is None
    tasks_table.delete("a", "b")
    tasks_table.delete("a", "b")
    assert tasks_table.get("a", "b") is None


def test_a_write_whose_condition_does_not_hold_writes_nothing(tasks_table: Table) -> None:
    tasks_table.put({"pk": "a", "sk": "b", "state": "old"})
    with pytest.raises(ConditionFailed):
        tasks_table.put({"pk": "a", "sk": "b", "state": "new"}, "attribute_not_exists(pk)")
    with pytest.raises(ConditionFailed):
        tasks_table.update("a", "b", "SET #state = :new", "#state = :other", {"new": 1, "other": 2}, {"state": "state"})
    with pytest.raises(ConditionFailed):
        tasks_table.delete("a", "b", "#state = :other", {"other": "other"}, {"state": "state"})
    assert tasks_table.get("a", "b") == {"pk": "a", "sk": "b", "state": "old"}


def test_a_condition_on_what_is_missing_or_of_another_type_does_not_hold_and_names_of_both_sorts_are_understood(
    tasks_table: Table,
) -> None:
    tasks_table.put({"pk": "a", "sk": "b", "n": 5, "letters": "5"})
    for condition in ("absent <= :five", "letters = :five", "n < :five", "n > :five AND n >= :five", "#t = :five"):
        names = {"t": "letters"} if "#t" in condition else None
        with pytest.raises(ConditionFailed):
            tasks_table.update("a", "b", "SET x = :five", condition, {"five": 5}, names)
    holds = "attribute_not_exists(pk) OR n >= :five AND attribute_exists(#t) AND absent <> :five"
    tasks_table.update("a", "b", "SET x = :five REMOVE #t ADD n :five, m :five", holds, {"five": 5}, {"t": "letters"})
    assert tasks_table.get("a", "b") == {"pk": "a", "sk": "b", "n": 10, "m": 5, "x": 5}


def test_an_item_over_400_kilobytes_and_a_transaction_that_writes_an_item_twice_are_refused(tasks_table: Table) -> None:
    with pytest.raises(ClientError):
        tasks_table.put({"pk": "a", "sk": "b", "filling": "x" * 410_000})
    with pytest.raises(ClientError):
        tasks_table.transact([tasks_table.put_step(label, {"pk": "a", "sk": "b"}) for label in ("one", "two")])
    assert tasks_table.get("a", "b") is None


def test_an_update_answers_with_the_whole_item_as_it_is_then(tasks_table: Table) -> None:
    tasks_table.put({"pk": "a", "sk": "b", "kept": "x"})
    assert tasks_table.update("a", "b", "ADD n :n", values={"n": 3}) == {"pk": "a", "sk": "b", "kept": "x", "n": 3}


def test_a_transaction_writes_all_or_nothing_and_names_what_failed(tasks_table: Table) -> None:
    tasks_table.put({"pk": "taken", "sk": "x"})
    steps = [
        tasks_table.put_step("first", {"pk": "free", "sk": "x"}, "attribute_not_exists(pk)"),
        tasks_table.put_step("second", {"pk": "taken", "sk": "x", "n": 1}, "attribute_not_exists(pk)"),
        tasks_table.delete_step("third", "missing", "x", "attribute_exists(pk)"),
    ]
    with pytest.raises(TransactionFailed) as failure:
        tasks_table.transact(steps)
    assert failure.value.failed == ["second", "third"]
    assert tasks_table.get("free", "x") is None
    tasks_table.transact(steps[:1] + [tasks_table.delete_step("fourth", "taken", "x")])
    assert tasks_table.get("free", "x") and tasks_table.get("taken", "x") is None


def test_a_check_writes_nothing_and_its_transaction_nothing_unless_it_holds(tasks_table: Table) -> None:
    tasks_table.put({"pk": "a", "sk": "x", "n": 1})
    write = tasks_table.put_step("write", {"pk": "b", "sk": "x"})
    for steps in (
        [tasks_table.check_step("check", "a", "x", "n = :n", {"n": 2}), write],
        [tasks_table.check_step("check", "missing", "x", "attribute_exists(pk)"), write],
    ):
        with pytest.raises(TransactionFailed) as failure:
            tasks_table.transact(steps)
        assert failure.value.failed == ["check"]
        assert tasks_table.get("b", "x") is None
    absent = tasks_table.check_step("absent", "missing", "x", "attribute_not_exists(pk)")
    tasks_table.transact([tasks_table.check_step("check", "a", "x", "n = :n", {"n": 1}), absent, write])
    assert tasks_table.get("a", "x") == {"pk": "a", "sk": "x", "n": 1}
    assert tasks_table.get("missing", "x") is None and tasks_table.get("b", "x")


def test_a_query_gives_every_item_of_its_key_in_order_page_after_page(tasks_table: Table) -> None:
    filling = "x" * 200_000  # a page of DynamoDB ends after a megabyte
    for number in range(12):
        tasks_table.put(
            {"pk": "a", "sk": f"n#{number:02}", "filling": filling, "open_pk": "o", "open_sk": 100 - number}
        )
    tasks_table.put({"pk": "a", "sk": "other"})
    assert tasks_table.query("a", "n#").next_key is not None
    assert [item["sk"] for item in tasks_table.query_all("a", "n#")] == [f"n#{number:02}" for number in range(12)]
    assert [item["sk"] for item in tasks_table.query_all("o", sk_between=(95, 98), index="open")] == [
        "n#05",
        "n#04",
        "n#03",
        "n#02",
    ]
    newest = tasks_table.query("a", newest_first=True, limit=2)
    assert [item["sk"] for item in newest.items] == ["other", "n#11"]
    assert [
        item["sk"] for item in tasks_table.query("a", newest_first=True, limit=1, start_key=newest.next_key).items
    ] == ["n#10"]


def test_many_items_are_written_read_and_deleted_whatever_their_number_and_what_is_not_there_is_left_out(
    tasks_table: Table,
) -> None:
    items: list[Item] = [{"pk": "a", "sk": f"{number:03}", "vector": bytes([number])} for number in range(130)]
    tasks_table.put_many(item | {"vector": b"old"} for item in items[:30])
    tasks_table.put_many([*items[:5], *items])
    keys = [("a", item["sk"]) for item in items]
    found = tasks_table.get_many([("missing", "x"), *keys, *keys])
    assert sorted(found, key=lambda item: item["sk"]) == items
    tasks_table.delete_many([("missing", "x"), *keys[1:], *keys[1:]])
    assert tasks_table.get_many(keys) == items[:1]
    tasks_table.put_many([])
    tasks_table.delete_many([])
    assert tasks_table.get_many([]) == []


class Busy:
    """A client that does only the first two of a batch's members, for the first calls."""

    def __init__(self, client: Any, busy_calls: int) -> None:
        self._client = client
        self.busy_calls = busy_calls

    def batch_get_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:
        ((table, request),) = RequestItems.items()
        keys = request["Keys"]
        if not self._is_busy():
            return self._client.batch_get_item(RequestItems=RequestItems)
        answer = self._client.batch_get_item(RequestItems={table: request | {"Keys": keys[:2]}})
        return answer | {"UnprocessedKeys": {table: request | {"Keys": keys[2:]}} if keys[2:] else {}}

    def batch_write_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:
        ((table, requests),) = RequestItems.items()
        if not self._is_busy():
            return self._client.batch_write_item(RequestItems=RequestItems)
        answer = self._client.batch_write_item(RequestItems={table: requests[:2]})
        return answer | {"UnprocessedItems": {table: requests[2:]} if requests[2:] else {}}

    def _is_busy(self) -> bool:
        self.busy_calls -= 1
        return self.busy_calls >= 0


def test_what_a_busy_table_leaves_of_a_batch_is_tried_again(tasks_table: Table, dynamodb: Any) -> None:
    items = [{"pk": "a", "sk": f"{number:03}"} for number in range(7)]
    keys = [("a", item["sk"]) for item in items]
    busy = Table(Busy(dynamodb, 2), tasks_table.name)
    busy.put_many(items)
    assert len(tasks_table.get_many(keys)) == 7
    assert len(Table(Busy(dynamodb, 3), tasks_table.name).get_many(keys)) == 7
    Table(Busy(dynamodb, 1), tasks_table.name).delete_many(keys)
    assert tasks_table.get_many(keys) == []


class Overloaded:
    """A client that does nothing of any batch."""

    def batch_get_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:
        return {"Responses": {}, "UnprocessedKeys": RequestItems}

    def batch_write_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:
        return {"UnprocessedItems": RequestItems}


def test_a_batch_that_is_never_done_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    table = Table(Overloaded(), "tasks")
    for attempt in (
        lambda: table.get_many([("a", "b")]),
        lambda: table.put_many([{"pk": "a", "sk": "b"}]),
        lambda: table.delete_many([("a", "b")]),
    ):
        with pytest.raises(Unprocessed):
            attempt()


class Conflicting:
    """A client on whose items another transaction is at work for the first calls."""

    def __init__(self, client: Any, conflicts: int) -> None:
        self._client = client
        self.conflicts = conflicts

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self._client, name)
        if name not in ("put_item", "update_item", "delete_item", "transact_write_items"):
            return operation

        def conflicting(**request: Any) -> Any:
            if not self.conflicts:
                return operation(**request)
            self.conflicts -= 1
            if name == "transact_write_items":
                reasons = [{"Code": "None"}, {"Code": "TransactionConflict"}]
                error = {"Code": "TransactionCanceledException", "Message": ""}
                raise ClientError({"Error": error, "CancellationReasons": reasons}, "TransactWriteItems")
            kind = self._client.exceptions.TransactionConflictException
            raise kind({"Error": {"Code": "TransactionConflictException", "Message": ""}}, name)

        return conflicting


def test_a_conflict_with_another_transaction_is_tried_again(tasks_table: Table, dynamodb: Any) -> None:
    for conflicts in (1, 3):
        client = Conflicting(dynamodb, conflicts)
        table = Table(client, tasks_table.name)
        table.put({"pk": "a", "sk": "put"})
        client.conflicts = conflicts
        table.update("a", "put", "SET n = :n", values={"n": conflicts})
        client.conflicts = conflicts
        table.transact([table.put_step("one", {"pk": "a", "sk": "transacted"})])
        assert tasks_table.get("a", "put") == {"pk": "a", "sk": "put", "n": conflicts}
        assert tasks_table.get("a", "transacted")
        client.conflicts = conflicts
        table.delete("a", "put")
        assert tasks_table.get("a", "put") is None


def test_a_scan_finds_the_keys_of_all_that_start_so_page_after_page(tasks_table: Table) -> None:
    padding = "x" * 100_000
    keys = {(f"pk{number % 3}", f"A#{number:02}") for number in range(30)}
    tasks_table.put_many({"pk": pk, "sk": sk, "padding": padding} for pk, sk in keys)
    tasks_table.put_many({"pk": pk, "sk": sk.replace("A", "B")} for pk, sk in keys)
    assert sorted(tasks_table.scan_keys("A#")) == sorted(keys)
    assert list(tasks_table.scan_keys("C#")) == []
