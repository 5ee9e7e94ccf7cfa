"""Transactions that take as long as what they write.

To undo a transaction that fails, moto copies each of its tables whole, with all that their
streams have ever had, once for each item of the transaction: of a hundred items in a table
of thousands, that is minutes. Here a copy shares the items with its table, and an item that
is updated is replaced.

Moto also keeps every model object that it ever made, every copy of an item among them, for
a reset that is not asked for here.
"""

from copy import deepcopy
from typing import Any

from moto.core.common_models import BaseModel
from moto.dynamodb.models import DynamoDBBackend, DynamoType
from moto.dynamodb.models.table import StreamShard, Table


def install() -> None:
    """Has moto copy and keep less."""
    BaseModel.__new__ = staticmethod(lambda cls, *_args, **_named: super(BaseModel, cls).__new__(cls))
    Table.__deepcopy__ = sharing
    by_moto = DynamoDBBackend.update_item

    def update_item(backend: DynamoDBBackend, table_name: str, key: dict[str, Any], *rest: Any, **named: Any) -> Any:
        replace(backend.get_table(table_name), key)
        return by_moto(backend, table_name, key, *rest, **named)

    DynamoDBBackend.update_item = update_item


def sharing(table: Table, _memo: dict[int, Any]) -> Table:
    """A copy that items can be put into and taken out of, and that has the same items."""
    other = object.__new__(type(table))
    other.__dict__ |= table.__dict__
    other.items = table.items.copy()
    for key, item in table.items.items():
        if isinstance(item, dict):  # of items, by the second part of the key
            other.items[key] = item.copy()
    if table.stream_shard is not None:
        other.stream_shard = object.__new__(StreamShard)
        other.stream_shard.__dict__ |= table.stream_shard.__dict__ | {"table": other, "items": list(table.stream_shard.items)}
    return other


def replace(table: Table, key: dict[str, Any]) -> None:
    """Puts a copy in the place of an item, which moto then changes."""
    if table.hash_key_attr not in key:
        return
    items, last = table.items, DynamoType(key[table.hash_key_attr])
    if table.range_key_attr is not None:
        if last not in items or table.range_key_attr not in key:
            return
        items, last = items[last], DynamoType(key[table.range_key_attr])
    if last in items:
        items[last] = deepcopy(items[last])
