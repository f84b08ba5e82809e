"""Tasks with annotations in the JSON that Label Studio imports."""

import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, BinaryIO, Final

from annotator_site.exports.outputs import plain
from annotator_site.exports.rows import FILE_COLUMNS, Value
from annotator_site.exports.source import Source

FROM_NAME: Final = "choice"
TO_NAME: Final = "image"
_KEPT: Final = ("purpose", "strategy", "model_version", "confidence", "answers")


def write_label_studio(file: BinaryIO, source: Source) -> int:
    """Write a JSON array of tasks, one an image. Returns the number of annotations.

    Each answer is an annotation; of consensus rows the consensus is the only one. Retracted answers
    are left out.
    """
    count, tasks = 0, 0
    file.write(b"[")
    with source.read(files=True, by_image=True) as rows:
        for task in _tasks(source, rows):
            file.write(b",\n" if tasks else b"\n")
            file.write(json.dumps(task, ensure_ascii=False).encode())
            tasks += 1
            count += len(task["annotations"])
    file.write(b"\n]\n")
    return count


def _tasks(source: Source, rows: Iterator[tuple[Value, ...]]) -> Iterator[dict[str, Any]]:
    columns = (*source.columns, *FILE_COLUMNS)
    place = columns.index("image_id")
    for _, group in groupby(rows, key=itemgetter(place)):
        found = [dict(zip(columns, map(plain, row), strict=True)) for row in group]
        kept = [each for each in found if not each.get("retracted_at")]
        if kept:
            first = kept[0]
            yield {
                "data": {
                    "image": f"{source.images_at}{first['image']}",
                    "name": first["image"],
                    "sha256": first["sha256"],
                },
                "annotations": [_annotation(each) for each in kept],
            }


def _annotation(row: dict[str, Any]) -> dict[str, Any]:
    value = {"choices": [row["choice"]]}
    result = {"from_name": FROM_NAME, "to_name": TO_NAME, "type": "choices", "value": value}
    found: dict[str, Any] = {
        "result": [result],
        "created_at": row.get("answered_at") or row.get("decided_at"),
        "meta": {name: row[name] for name in _KEPT if row.get(name) is not None},
    }
    if row.get("label_id"):
        found["unique_id"] = row["label_id"]
        found["lead_time"] = row["shown_ms"] / 1000
        found["meta"]["annotator"] = row["annotator"]
    return found


def label_config(classes: Sequence[str]) -> str:
    """The labeling configuration of Label Studio that fits such tasks."""
    from xml.sax.saxutils import quoteattr

    choices = "".join(f"<Choice value={quoteattr(name)}/>" for name in classes)
    return (
        f'<View><Image name="{TO_NAME}" value="${TO_NAME}"/>'
        f'<Choices name="{FROM_NAME}" toName="{TO_NAME}" choice="single">{choices}</Choices></View>'
    )
