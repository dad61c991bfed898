"""The items of one of moto's DynamoDB tables, in the order of its key and of each of its indexes."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import Table
from sortedcontainers import SortedDict

Place = tuple[Any, ...]
"""Where an item is among those of its partition: the values of the sort keys, then an empty string."""


class _Top:
    """Greater than anything else."""

    def __lt__(self, other: object) -> bool:
        return False

    def __gt__(self, other: object) -> bool:
        return True


TOP = _Top()


class SortedItems:
    """What `noted` items there are, by partition and in order; not safe for several threads."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._partitions: dict[tuple[str | None, Any], SortedDict] = {}
        self._places: dict[Any, list[tuple[tuple[str | None, Any], Place]]] = {}

    def note(self, hash_key: DynamoType, range_key: DynamoType | None) -> None:
        """Look at the item of this key again: it was put, changed or deleted."""
        key = (hash_key.cast_value, range_key.cast_value if range_key is not None else None)
        item = self._table.get_item(hash_key, range_key)
        places = list(self._places_of(item)) if item is not None else []
        before = self._places.pop(key, [])
        for partition, place in before:
            if (partition, place) not in places:
                del self._partitions[partition][place]
                if not self._partitions[partition]:
                    del self._partitions[partition]
        for partition, place in places:
            self._partitions.setdefault(partition, SortedDict())[place] = item
        if places:
            self._places[key] = places

    def find(
        self,
        index_name: str | None,
        hash_value: Any,
        condition: tuple[str | None, list[DynamoType]],
        start_key: dict[str, Any] | None,
        forward: bool,
        most: int | None,
    ) -> list[Item]:
        """Items of a partition that meet a condition on the sort key, after `start_key`; `most` at most (None: all)."""
        partition = self._partitions.get((index_name, hash_value))
        if partition is None:
            return []
        low, high = _bounds(condition[0], [operand.cast_value for operand in condition[1]])
        if start_key:
            after = self._place({name: DynamoType(value) for name, value in start_key.items()}, index_name)
            low, high = (max(low, after), high) if forward else (low, min(high, after))
        places = partition.irange(low, high, inclusive=(False, False), reverse=not forward) if low < high else []
        return [partition[place] for place in islice(places, most)]

    def is_sorted(self, index_name: str | None) -> bool:
        """Whether an index (None: the table) has one hash key and at most one sort key."""
        return index_name is None or len(self._keys(index_name)) == 1 + len(self._sort_keys(index_name))

    def _places_of(self, item: Item) -> Iterator[tuple[tuple[str | None, Any], Place]]:
        yield (None, item.hash_key.cast_value), self._place(item.attrs, None)
        for index in self._table.all_indexes():
            keys = self._keys(index.name)
            if self.is_sorted(index.name) and all(key in item.attrs for key in keys):
                yield (index.name, item.attrs[keys[0]].cast_value), self._place(item.attrs, index.name)

    def _place(self, attributes: dict[str, DynamoType], index_name: str | None) -> Place:
        own = [self._table.range_key_attr] if self._table.range_key_attr else []
        names = [*self._sort_keys(index_name), self._table.hash_key_attr, *own] if index_name else own
        return (*(attributes[name].cast_value for name in names), "")

    def _keys(self, index_name: str) -> list[str]:
        """The names of an index's keys, the hash key first."""
        schema = self._table.get_index(index_name).schema
        return [key["AttributeName"] for key in sorted(schema, key=lambda key: key["KeyType"])]

    def _sort_keys(self, index_name: str) -> list[str]:
        return self._keys(index_name)[1:2]


def _bounds(comparison: str | None, values: list[Any]) -> tuple[Place, Place]:
    """Below and above all places that meet a condition on the first sort key, and between no others."""
    match comparison:
        case None:
            return (), (TOP,)
        case "=" | "EQ":
            return (values[0],), (values[0], TOP)
        case "<" | "LT":
            return (), (values[0],)
        case "<=" | "LE":
            return (), (values[0], TOP)
        case ">" | "GT":
            return (values[0], TOP), (TOP,)
        case ">=" | "GE":
            return (values[0],), (TOP,)
        case "BETWEEN":
            return (values[0],), (values[1], TOP)
        case "BEGINS_WITH":
            return (values[0],), _after_prefix(values[0])
    raise ValueError(f"not a condition on a sort key: {comparison}")


def _after_prefix(prefix: str) -> Place:
    """Above all strings that begin so."""
    shorter = prefix.rstrip("\U0010ffff")
    return (shorter[:-1] + chr(ord(shorter[-1]) + 1),) if shorter else (TOP,)
