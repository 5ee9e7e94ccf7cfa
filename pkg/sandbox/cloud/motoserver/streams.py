"""Streams of tables that go on when a transaction fails.

Moto undoes a transaction by putting copies of tables, and with them of their streams, in
the place of those there were. A reader that goes on with its iterator would read a stream
that gets no records any more.
"""

from typing import Any

from moto.dynamodbstreams.models import ShardIterator


def install() -> None:
    """Has iterators find the stream that the table has now."""
    by_moto = ShardIterator.get

    def get(iterator: ShardIterator, limit: int = 1000) -> dict[str, Any]:
        was = iterator.stream_shard.table
        now = iterator.streams_backend.dynamodb.tables.get(was.name)
        if now is not None and now.latest_stream_label == was.latest_stream_label:
            iterator.stream_shard = now.stream_shard
        return by_moto(iterator, limit)

    ShardIterator.get = get
