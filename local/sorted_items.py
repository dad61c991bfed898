"""The items of one of moto's DynamoDB tables, in the order of its key and of each of its indexes."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import Table
from sortedcontainers import SortedDict

SORTABLE = ("S", "N")
"""Types of keys that are sorted here; binary ones are left to moto."""

COMPARISONS = ("=", "<", "<=", ">", ">=", "BETWEEN", "BEGINS_WITH")

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
    """A table's items by partition and in order, as long as it is told of every change; not safe for several threads.

    An item whose key for an index is not of the declared type is not in that index.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._types = {attribute["AttributeName"]: attribute["AttributeType"] for attribute in table.attr}
        self._made_of = self._shape()
        self._partitions: dict[tuple[str | None, Any], SortedDict] = {}
        self._places: dict[Any, list[tuple[tuple[str | None, Any], Place]]] = {}
        for item in table.all_items():
            self.note(item.hash_key, item.range_key)

    def is_outdated(self) -> bool:
        """Whether the table has other indexes, or all its items are others, since this was made."""
        items, keys = self._shape()
        return items is not self._made_of[0] or keys != self._made_of[1]

    def _shape(self) -> tuple[Any, list[Any]]:
        indexes = [(index.name, index.schema) for index in self._table.all_indexes()]
        return self._table.items, [*indexes, *self._table.attr]

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

    def can_find(self, index_name: str | None, condition: tuple[str | None, list[DynamoType]]) -> bool:
        """Whether `find` understands the index (None: the table) and the condition."""
        if not self._is_sorted(index_name):
            return False
        comparison, operands = condition
        if comparison is None:
            return True
        sort_keys = self._sort_keys(index_name) if index_name else self._own_sort_key()
        kinds = {operand.type for operand in operands}
        return (
            comparison in COMPARISONS
            and kinds == {self._types.get(name) for name in sort_keys}
            and (comparison != "BEGINS_WITH" or kinds == {"S"})
        )

    def _is_sorted(self, index_name: str | None) -> bool:
        keys = self._table.table_key_attrs
        if index_name is not None:
            keys = [*keys, *self._keys(index_name)]
            if len(self._keys(index_name)) != 1 + len(self._sort_keys(index_name)):
                return False  # keys of several attributes
        return all(self._types.get(name) in SORTABLE for name in keys)

    def _places_of(self, item: Item) -> Iterator[tuple[tuple[str | None, Any], Place]]:
        if self._is_sorted(None):
            yield (None, item.hash_key.cast_value), self._place(item.attrs, None)
        for index in self._table.all_indexes():
            keys = self._keys(index.name)
            if self._is_sorted(index.name) and all(
                name in item.attrs and item.attrs[name].type == self._types.get(name) for name in keys
            ):
                yield (index.name, item.attrs[keys[0]].cast_value), self._place(item.attrs, index.name)

    def _place(self, attributes: dict[str, DynamoType], index_name: str | None) -> Place:
        names = own = self._own_sort_key()
        if index_name:  # an index without a sort key is in the order of the table's, as moto has it
            names = [*(self._sort_keys(index_name) or own), self._table.hash_key_attr, *own]
        return (*(attributes[name].cast_value for name in names), "")

    def _own_sort_key(self) -> list[str]:
        return [self._table.range_key_attr] if self._table.range_key_attr else []

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
        case "=":
            return (values[0],), (values[0], TOP)
        case "<":
            return (), (values[0],)
        case "<=":
            return (), (values[0], TOP)
        case ">":
            return (values[0], TOP), (TOP,)
        case ">=":
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
