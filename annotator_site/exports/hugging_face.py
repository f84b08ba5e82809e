"""A data set that `datasets.load_dataset` reads: Parquet with the images in it, and a card."""

import json
from collections.abc import Iterator
from typing import Any, Final

import pyarrow as pa

from annotator_site.exports import parquet
from annotator_site.exports.rows import Value
from annotator_site.exports.source import Missed, Source, reading_files
from annotator_site.exports.trees import Tree

_GROUP_BYTES: Final = 32 * 2**20
_SHARD_BYTES: Final = 400 * 2**20
_IMAGE: Final = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
_DTYPES: Final = {"int64": "int64", "double": "float64", "string": "string"}


def write_hugging_face(tree: Tree, source: Source, missed: Missed) -> int:
    """Write README.md and data/train-NNNNN.parquet. Returns the number of rows.

    `image` is the file as imported and `label` the place of the class, as load_dataset has them;
    `name` is the image's name. Rows of images whose files are gone are left out.
    """
    classes = source.classes
    count, shard = 0, 0
    groups = _groups(source, classes, missed)
    schema = _schema(source, classes)
    with tree.file("README.md") as file:
        file.write(_card(source).encode())
    group = next(groups, [])
    while group or shard == 0:
        with (
            tree.file(f"data/train-{shard:05}.parquet") as file,
            parquet.writing(file, schema) as writer,
        ):
            written = 0
            while group and written < _SHARD_BYTES:
                writer.write_batch(parquet.batch_of(schema, [row for row, _ in group]))
                written += sum(size for _, size in group)
                count += len(group)
                group = next(groups, [])
        shard += 1
    return count


_Sized = tuple[tuple[Any, ...], int]


def _groups(source: Source, classes: list[str], missed: Missed) -> Iterator[list[_Sized]]:
    """Rows with the bytes of their images, in groups that fit into memory."""
    places = {name: place for place, name in enumerate(classes)}
    group: list[_Sized] = []
    size = 0
    for found, _, data in reading_files(source, missed):
        group.append((_row(source, found, data, places), len(data)))
        size += len(data)
        if size >= _GROUP_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


def _row(
    source: Source, found: dict[str, Value], data: bytes, places: dict[str, int]
) -> tuple[Any, ...]:
    image = {"bytes": data, "path": found["image"]}
    rest = [found[name] for name in _others(source)]
    return (image, places[str(found["choice"])], found["image"], *rest)


def _others(source: Source) -> list[str]:
    return [name for name in source.columns if name not in ("image", "choice")]


def _schema(source: Source, classes: list[str]) -> pa.Schema:
    rest = parquet.schema_of(_others(source))
    fields = [
        pa.field("image", _IMAGE),
        pa.field("label", pa.int64()),
        pa.field("name", pa.string()),
    ]
    features: dict[str, Any] = {
        "image": {"_type": "Image"},
        "label": {"names": classes, "_type": "ClassLabel"},
        "name": {"dtype": "string", "_type": "Value"},
    }
    for field in rest:
        dtype = _DTYPES.get(str(field.type), str(field.type).replace(" ", ""))
        features[field.name] = {"dtype": dtype, "_type": "Value"}
    told = json.dumps({"info": {"features": features}}, ensure_ascii=False)
    return pa.schema([*fields, *rest], metadata={"huggingface": told})


def _card(source: Source) -> str:
    """The card's header names the files; whoever publishes it writes the rest."""
    header = {
        "pretty_name": source.campaign.title,
        "task_categories": ["image-classification"],
        "configs": [{"config_name": "default", "data_files": "data/train-*.parquet"}],
    }
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in header.items()]
    return "\n".join(["---", *lines, "---", "", f"# {source.campaign.title}", ""])
