"""Apache Parquet: typed columns, compressed, in groups of rows."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.parquet as pq

from annotator_site.exports.rows import Value
from annotator_site.exports.source import Source

_TIME: Final = pa.timestamp("us", tz="UTC")
TYPES: Final[dict[str, pa.DataType]] = {
    "answered_at": _TIME,
    "retracted_at": _TIME,
    "decided_at": _TIME,
    "shown_ms": pa.int64(),
    "answers": pa.int64(),
    "model_version": pa.int64(),
    "staleness": pa.int64(),
    "confidence": pa.float64(),
    "score": pa.float64(),
    "query_age_s": pa.float64(),
}
"""The types of columns; those that are not named here are text."""
_GROUP_ROWS: Final = 50_000


def write_parquet(file: BinaryIO, source: Source) -> int:
    """Write one file with the columns of the rows. Returns the number of rows."""
    schema = schema_of(source.columns)
    count = 0
    with source.read() as rows, writing(file, schema) as writer:
        while group := list(islice(rows, _GROUP_ROWS)):
            writer.write_batch(batch_of(schema, group))
            count += len(group)
    return count


def schema_of(columns: Sequence[str]) -> pa.Schema:
    """The schema of these columns, each of which may be null."""
    return pa.schema([(name, TYPES.get(name, pa.string())) for name in columns])


def batch_of(schema: pa.Schema, rows: Sequence[Sequence[Value | bytes]]) -> pa.RecordBatch:
    """Rows as a batch of columns."""
    columns: Iterator[Any] = zip(*rows, strict=True)
    arrays = [
        pa.array(column, type=field.type) for column, field in zip(columns, schema, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def writing(file: BinaryIO, schema: pa.Schema) -> pq.ParquetWriter:
    """A writer to a stream that need not be seekable."""
    return pq.ParquetWriter(file, schema, compression="zstd")
