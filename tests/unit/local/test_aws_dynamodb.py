"""DynamoDB keeps its promises to many writers at once."""

import threading
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest
from boto3.dynamodb.conditions import Key
from botocore.exceptions import ClientError

THREADS = 8
ROUNDS = 25


@pytest.fixture
def dynamodb(aws: Callable[[str], Any]) -> Iterator[Any]:
    client = aws("dynamodb")
    client.create_table(
        TableName="money",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
            {"AttributeName": "due_pk", "AttributeType": "S"},
            {"AttributeName": "due_sk", "AttributeType": "N"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "due",
                "KeySchema": [
                    {"AttributeName": "due_pk", "KeyType": "HASH"},
                    {"AttributeName": "due_sk", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            },
            {
                "IndexName": "any order",
                "KeySchema": [{"AttributeName": "due_pk", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            },
        ],
    )
    yield client
    client.delete_table(TableName="money")


def key(name: str) -> dict[str, Any]:
    return {"pk": {"S": name}, "sk": {"S": "account"}}


def put(dynamodb: Any, name: str, cents: int) -> None:
    dynamodb.put_item(TableName="money", Item=key(name) | {"cents": {"N": str(cents)}})


def cents(dynamodb: Any, name: str) -> int:
    item = dynamodb.get_item(TableName="money", Key=key(name)).get("Item", {"cents": {"N": "0"}})
    return int(item["cents"]["N"])


def add(name: str, amount: int, condition: str = "attribute_exists(pk)") -> dict[str, Any]:
    return {
        "Update": {
            "TableName": "money",
            "Key": key(name),
            "UpdateExpression": "ADD cents :amount",
            "ConditionExpression": condition,
            "ExpressionAttributeValues": {":amount": {"N": str(amount)}}
            | ({":enough": {"N": "1"}} if ":enough" in condition else {}),
        }
    }


def race(work: Callable[[int], None]) -> None:
    failures: list[BaseException] = []

    def run(number: int) -> None:
        try:
            work(number)
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_transactions_and_single_writes_race_without_losing_a_cent(dynamodb: Any) -> None:
    """Threads move cents out of one account until it is empty, others add to the receivers meanwhile."""
    put(dynamodb, "purse", 60)
    for number in range(THREADS):
        put(dynamodb, f"hand-{number}", 0)

    def move_or_add(number: int) -> None:
        for _ in range(ROUNDS):
            if number % 2:
                dynamodb.update_item(
                    TableName="money",
                    Key=key(f"hand-{number - 1}"),
                    UpdateExpression="ADD cents :one",
                    ExpressionAttributeValues={":one": {"N": "1"}},
                )
                continue
            try:
                dynamodb.transact_write_items(
                    TransactItems=[add("purse", -1, "cents >= :enough"), add(f"hand-{number}", 1)]
                )
            except dynamodb.exceptions.TransactionCanceledException as error:
                reasons = [reason["Code"] for reason in error.response["CancellationReasons"]]
                assert reasons == ["ConditionalCheckFailed", "None"]

    race(move_or_add)
    assert cents(dynamodb, "purse") == 0
    added = ROUNDS * THREADS // 2
    assert sum(cents(dynamodb, f"hand-{number}") for number in range(THREADS)) == 60 + added


def test_one_of_many_racing_to_create_an_item_wins(dynamodb: Any) -> None:
    winners = []

    def create(number: int) -> None:
        item = key("throne") | {"owner": {"N": str(number)}}
        try:
            dynamodb.put_item(TableName="money", Item=item, ConditionExpression="attribute_not_exists(pk)")
            winners.append(number)
        except dynamodb.exceptions.ConditionalCheckFailedException:
            pass

    race(create)
    assert len(winners) == 1
    stored = dynamodb.get_item(TableName="money", Key=key("throne"))["Item"]
    assert stored["owner"] == {"N": str(winners[0])}


def test_a_transaction_that_fails_changes_nothing_and_says_which_conditions_failed(dynamodb: Any) -> None:
    put(dynamodb, "a", 1)
    steps = [
        add("a", 5),
        {"Put": {"TableName": "money", "Item": key("a-2"), "ConditionExpression": "attribute_exists(pk)"}},
        {"Delete": {"TableName": "money", "Key": key("a-3")}},
        {"ConditionCheck": {"TableName": "money", "Key": key("a-4"), "ConditionExpression": "attribute_exists(pk)"}},
    ]
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException) as caught:
        dynamodb.transact_write_items(TransactItems=steps)
    reasons = [reason["Code"] for reason in caught.value.response["CancellationReasons"]]
    assert reasons == ["None", "ConditionalCheckFailed", "None", "ConditionalCheckFailed"]
    assert cents(dynamodb, "a") == 1
    assert "Item" not in dynamodb.get_item(TableName="money", Key=key("a-2"))


def test_a_transaction_with_an_impossible_write_puts_everything_back(dynamodb: Any) -> None:
    put(dynamodb, "b", 1)
    dynamodb.put_item(TableName="money", Item=key("words") | {"cents": {"S": "many"}})
    with pytest.raises(ClientError):
        dynamodb.transact_write_items(
            TransactItems=[
                {"Put": {"TableName": "money", "Item": key("new")}},
                add("b", 5),
                {"Delete": {"TableName": "money", "Key": key("gone")}},
                add("words", 1),
            ]
        )
    assert cents(dynamodb, "b") == 1
    assert "Item" not in dynamodb.get_item(TableName="money", Key=key("new"))


def test_a_transaction_cannot_name_an_item_twice(dynamodb: Any) -> None:
    put(dynamodb, "c", 1)
    with pytest.raises(ClientError, match="multiple operations on one item"):
        dynamodb.transact_write_items(TransactItems=[add("c", 1), add("c", 1)])
    assert cents(dynamodb, "c") == 1


def test_a_transaction_takes_a_hundred_steps(dynamodb: Any) -> None:
    items = [key(f"many-{number:03}") for number in range(100)]
    dynamodb.transact_write_items(TransactItems=[{"Put": {"TableName": "money", "Item": item}} for item in items])
    answer = dynamodb.transact_get_items(TransactItems=[{"Get": {"TableName": "money", "Key": item}} for item in items])
    assert [response["Item"] for response in answer["Responses"]] == items


def test_readers_see_whole_items_in_order_while_others_write(dynamodb: Any) -> None:
    """Half of the threads write and delete, the other half query the table and its index."""

    def write_or_query(number: int) -> None:
        for turn in range(ROUNDS // 2):
            if number % 2:
                item = {
                    "pk": {"S": "list"},
                    "sk": {"S": f"{turn:03}-{number}"},
                    "due_pk": {"S": "due"},
                    "due_sk": {"N": str(turn)},
                    "text": {"S": "é🙂"},
                    "bytes": {"B": b"\x00\xff"},
                    "tags": {"SS": ["x", "y"]},
                }
                dynamodb.put_item(TableName="money", Item=item)
                dynamodb.delete_item(TableName="money", Key={"pk": {"S": "nothing"}, "sk": {"S": str(turn)}})
                continue
            found = dynamodb.query(
                TableName="money",
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues={":pk": {"S": "list"}},
                ConsistentRead=True,
            )["Items"]
            assert [item["sk"]["S"] for item in found] == sorted(item["sk"]["S"] for item in found)
            assert all(item["bytes"] == {"B": b"\x00\xff"} and item["text"] == {"S": "é🙂"} for item in found)
            due = dynamodb.query(
                TableName="money",
                IndexName="due",
                KeyConditionExpression="due_pk = :pk AND due_sk BETWEEN :low AND :high",
                ExpressionAttributeValues={":pk": {"S": "due"}, ":low": {"N": "3"}, ":high": {"N": "9"}},
            )["Items"]
            times = [int(item["due_sk"]["N"]) for item in due]
            assert times == sorted(times) and all(3 <= time <= 9 for time in times)

    race(write_or_query)


def test_pages_of_a_query_join_without_a_gap(dynamodb: Any) -> None:
    for number in range(25):
        item = {
            "pk": {"S": "pages"},
            "sk": {"S": f"{number:02}"},
            "due_pk": {"S": "p"},
            "due_sk": {"N": str(number // 5)},
        }
        dynamodb.put_item(TableName="money", Item=item)
    for index in ({}, {"IndexName": "due"}):
        condition = Key("due_pk").eq("p") if index else Key("pk").eq("pages")
        name = condition.get_expression()["values"][0].name
        seen: list[str] = []
        request: dict[str, Any] = {
            "TableName": "money",
            "KeyConditionExpression": f"{name} = :v",
            "ExpressionAttributeValues": {":v": {"S": condition.get_expression()["values"][1]}},
            "Limit": 7,
            **index,
        }
        while True:
            page = dynamodb.query(**request)
            seen += [item["sk"]["S"] for item in page["Items"]]
            if "LastEvaluatedKey" not in page:
                break
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]
        assert seen == [f"{number:02}" for number in range(25)]


CONDITIONS: dict[str, Callable[[Any, Any, Any], bool]] = {
    "{} = :a": lambda value, a, b: value == a,
    "{} < :a": lambda value, a, b: value < a,
    "{} <= :a": lambda value, a, b: value <= a,
    "{} > :a": lambda value, a, b: value > a,
    "{} >= :a": lambda value, a, b: value >= a,
    "{} BETWEEN :a AND :b": lambda value, a, b: a <= value <= b,
    "begins_with({}, :a)": lambda value, a, b: str(value).startswith(str(a)),
}


def change_somehow(dynamodb: Any, random: Random, items: dict[str, dict[str, Any]]) -> None:
    """Put, change, move in the index, or delete an item, or fail to. `items`: those there are, by their sort key."""
    sk = f"{random.randrange(30):05b}"
    its_key = {"pk": {"S": "one"}, "sk": {"S": sk}}
    item = its_key | {"due_pk": {"S": random.choice(["due", "later"])}, "due_sk": {"N": str(random.randrange(6))}}
    if random.random() < 0.2:
        del item["due_sk"]
    step = {"Put": {"TableName": "money", "Item": item}}
    how = random.choice(["put", "delete", "update", "transaction", "failure"])
    if how == "put":
        dynamodb.put_item(TableName="money", Item=item)
    elif how == "delete":
        dynamodb.delete_item(TableName="money", Key=its_key)
    elif how == "transaction":
        dynamodb.transact_write_items(TransactItems=[step])
    elif how == "update":
        item["due_sk"] = {"N": str(random.randrange(6))}
        dynamodb.update_item(
            TableName="money",
            Key=its_key,
            UpdateExpression="SET due_pk = :pk, due_sk = :sk",
            ExpressionAttributeValues={":pk": item["due_pk"], ":sk": item["due_sk"]},
        )
    else:
        dynamodb.put_item(TableName="money", Item=key("words") | {"cents": {"S": "many"}})
        with pytest.raises(ClientError):
            dynamodb.transact_write_items(TransactItems=[step, add("words", 1)])
        return
    items.pop(sk, None)
    if how != "delete":
        items[sk] = item


def pages_of(dynamodb: Any, request: dict[str, Any]) -> list[str]:
    """The sort keys of all items that a query gives, page after page."""
    found = []
    while True:
        page = dynamodb.query(TableName="money", **request)
        found += [item["sk"]["S"] for item in page["Items"]]
        if "LastEvaluatedKey" not in page:
            return found
        request = request | {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def random_query(random: Random, items: dict[str, dict[str, Any]]) -> tuple[dict[str, Any], list[str]]:
    """A query, and the sort keys that it should find."""
    condition, meets = random.choice(list(CONDITIONS.items()))
    in_index = random.random() < 0.5 and not condition.startswith("begins_with")
    hash_key, hash_value, sort_key, kind = ("due_pk", "due", "due_sk", "N") if in_index else ("pk", "one", "sk", "S")
    choices: list[Any] = [*range(6)] if in_index else ["0", "01", "011", "1", "1001"]
    a, b = sorted(random.choices(choices, k=2))
    values = {":pk": {"S": hash_value}, ":a": {kind: str(a)}, ":b": {kind: str(b)}}
    request: dict[str, Any] = {
        "KeyConditionExpression": f"{hash_key} = :pk AND {condition.format(sort_key)}",
        "ExpressionAttributeValues": {name: value for name, value in values.items() if name in f":pk {condition}"},
        "ScanIndexForward": random.random() < 0.5,
    }
    if in_index:
        request["IndexName"] = "due"
    if random.random() < 0.7:
        request["Limit"] = random.randrange(1, 5)

    def value_of(item: dict[str, Any]) -> Any:
        return int(item["due_sk"]["N"]) if in_index else item["sk"]["S"]

    there = [item for item in items.values() if item.get(hash_key) == {"S": hash_value} and sort_key in item]
    found = sorted((value_of(item), item["sk"]["S"]) for item in there if meets(value_of(item), a, b))
    return request, [sk for _, sk in (found if request["ScanIndexForward"] else reversed(found))]


@pytest.mark.parametrize("seed", range(4))
def test_a_query_of_any_kind_gives_what_a_plain_list_would(dynamodb: Any, seed: int) -> None:
    random = Random(seed)
    items: dict[str, dict[str, Any]] = {}
    found = 0
    for _ in range(150):
        change_somehow(dynamodb, random, items)
        request, expected = random_query(random, items)
        assert pages_of(dynamodb, request) == expected, request
        found += len(expected)
    assert found > 200


@pytest.mark.parametrize("limit", [1, 2, 5])
@pytest.mark.parametrize("forward", [True, False])
def test_pages_of_an_index_without_a_sort_key_join_without_a_gap(dynamodb: Any, limit: int, forward: bool) -> None:
    for pk, sk in (("a", "9"), ("b", "1"), ("c", "5"), ("c", "1")):
        item = {"pk": {"S": pk}, "sk": {"S": sk}, "due_pk": {"S": "x"}}
        dynamodb.put_item(TableName="money", Item=item)
    request = {
        "IndexName": "any order",
        "KeyConditionExpression": "due_pk = :pk",
        "ExpressionAttributeValues": {":pk": {"S": "x"}},
        "ScanIndexForward": forward,
        "Limit": limit,
    }
    assert sorted(pages_of(dynamodb, request)) == ["1", "1", "5", "9"]


def test_an_item_whose_key_for_an_index_is_of_another_type_is_not_in_the_index_and_can_be_deleted(
    dynamodb: Any,
) -> None:
    odd = {"pk": {"S": "odd"}, "sk": {"S": "1"}, "due_pk": {"S": "due"}, "due_sk": {"S": "soon"}}
    dynamodb.put_item(TableName="money", Item=odd)
    dynamodb.put_item(TableName="money", Item=odd | {"sk": {"S": "2"}, "due_sk": {"N": "2"}})
    by_key = {"KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": {":pk": {"S": "odd"}}}
    due = {"KeyConditionExpression": "due_pk = :pk", "ExpressionAttributeValues": {":pk": {"S": "due"}}}
    assert pages_of(dynamodb, by_key) == ["1", "2"]
    assert pages_of(dynamodb, due | {"IndexName": "due"}) == ["2"]
    dynamodb.delete_item(TableName="money", Key={"pk": {"S": "odd"}, "sk": {"S": "1"}})
    assert pages_of(dynamodb, by_key) == ["2"]


def test_an_index_made_later_has_the_items_of_before_and_a_restored_table_has_its_own(dynamodb: Any) -> None:
    for number in range(3):
        item = {"pk": {"S": "late"}, "sk": {"S": str(number)}, "owner": {"S": "ann"}}
        dynamodb.put_item(TableName="money", Item=item)
    by_key = {"KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": {":pk": {"S": "late"}}}
    assert pages_of(dynamodb, by_key) == ["0", "1", "2"]
    index = {
        "IndexName": "owner",
        "KeySchema": [{"AttributeName": "owner", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    dynamodb.update_table(
        TableName="money",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk", "owner")],
        GlobalSecondaryIndexUpdates=[{"Create": index}],
    )
    owned = {"KeyConditionExpression": "#owner = :owner", "ExpressionAttributeValues": {":owner": {"S": "ann"}}}
    owned |= {"IndexName": "owner", "ExpressionAttributeNames": {"#owner": "owner"}}
    assert pages_of(dynamodb, owned) == ["0", "1", "2"]
    backup = dynamodb.create_backup(TableName="money", BackupName="kept")["BackupDetails"]["BackupArn"]
    dynamodb.restore_table_from_backup(TargetTableName="restored", BackupArn=backup)
    assert dynamodb.query(TableName="restored", **by_key)["Count"] == 3
    dynamodb.delete_table(TableName="restored")


def test_keys_of_bytes_are_found_by_how_they_begin(dynamodb: Any) -> None:
    dynamodb.create_table(
        TableName="bytes",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "B"},
        ],
    )
    for key_bytes in (b"ab\x00", b"abc", b"b"):
        dynamodb.put_item(TableName="bytes", Item={"pk": {"S": "x"}, "sk": {"B": key_bytes}})
    answer = dynamodb.query(
        TableName="bytes",
        KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
        ExpressionAttributeValues={":pk": {"S": "x"}, ":sk": {"B": b"abc"}},
    )
    assert [item["sk"]["B"] for item in answer["Items"]] == [b"abc"]
    dynamodb.delete_table(TableName="bytes")


def test_every_type_of_value_comes_back_as_it_was_put(dynamodb: Any) -> None:
    item = key("types") | {
        "text": {"S": "猫"},
        "number": {"N": "12"},
        "yes": {"BOOL": True},
        "nothing": {"NULL": True},
        "bytes": {"B": b"\x00\xff"},
        "texts": {"SS": ["a", "b"]},
        "byte_strings": {"BS": [b"\x00", b"\xff"]},
        "list": {"L": [{"S": "a"}, {"L": []}, {"M": {"deep": {"B": b"\x01"}}}]},
        "map": {"M": {"a": {"M": {}}, "b": {"N": "-1"}}},
    }
    dynamodb.put_item(TableName="money", Item=item)
    assert dynamodb.get_item(TableName="money", Key=key("types"))["Item"] == item
    found = dynamodb.query(
        TableName="money", KeyConditionExpression="pk = :pk", ExpressionAttributeValues={":pk": {"S": "types"}}
    )
    assert found["Items"] == [item]
