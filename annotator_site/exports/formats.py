"""The export formats, by their names for `export_labels --format`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, Final

from annotator_site.exports import croissant, parquet
from annotator_site.exports.comma_separated import for_spreadsheets, write_csv
from annotator_site.exports.hugging_face import write_hugging_face
from annotator_site.exports.image_folder import write_image_folder
from annotator_site.exports.json_lines import write_jsonl
from annotator_site.exports.label_studio import write_label_studio
from annotator_site.exports.outputs import Utf8
from annotator_site.exports.rows import COLUMNS, Rows
from annotator_site.exports.source import Missed, Source
from annotator_site.exports.trees import Tree

EVERY_KIND: Final[tuple[Rows, ...]] = tuple(COLUMNS)
ONE_AN_IMAGE: Final[tuple[Rows, ...]] = ("consensus",)


@dataclass(frozen=True, slots=True)
class FileFormat:
    """A format of one file. `write` returns how many rows it wrote; `rows`: kinds that it can."""

    write: Callable[[BinaryIO, Source], int]
    rows: tuple[Rows, ...] = EVERY_KIND
    is_text: bool = True


@dataclass(frozen=True, slots=True)
class TreeFormat:
    """A format of several files, in a folder or a ZIP; else as FileFormat."""

    write: Callable[[Tree, Source, Missed], int]
    rows: tuple[Rows, ...] = EVERY_KIND


def _csv(file: BinaryIO, source: Source) -> int:
    with source.read() as rows:
        return write_csv(Utf8(file), source.columns, rows)


def spreadsheet_csv(file: BinaryIO, source: Source) -> int:
    """CSV that spreadsheets open without running any of its cells."""
    out = Utf8(file)
    with source.read() as rows:
        return write_csv(out, source.columns, for_spreadsheets(out, rows))


def _jsonl(file: BinaryIO, source: Source) -> int:
    with source.read() as rows:
        return write_jsonl(Utf8(file), source.columns, rows)


FORMATS: Final[dict[str, FileFormat | TreeFormat]] = {
    "csv": FileFormat(_csv),
    "jsonl": FileFormat(_jsonl),
    "parquet": FileFormat(parquet.write_parquet, is_text=False),
    "label_studio": FileFormat(write_label_studio, rows=("consensus", "labels")),
    "imagefolder": TreeFormat(write_image_folder, ONE_AN_IMAGE),
    "huggingface": TreeFormat(write_hugging_face, ONE_AN_IMAGE),
    "croissant": TreeFormat(lambda tree, source, _: croissant.write_croissant(tree, source)),
}
