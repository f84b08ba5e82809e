"""One folder a class with the images' own files, and a table beside: for most training programs."""

import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from tempfile import TemporaryFile
from typing import Final

from annotator_site.exports.json_lines import line_of
from annotator_site.exports.source import Missed, Source, reading_files
from annotator_site.exports.trees import Tree

METADATA: Final = "metadata.jsonl"
_UNSAFE: Final = re.compile(r"[^\w .,()+@=-]|[\x00-\x1f]")
_STEM_LENGTH: Final = 80


def write_image_folder(tree: Tree, source: Source, missed: Missed) -> int:
    """Write CLASS/NAME~SHA256.EXT for each image with a consensus, and `metadata.jsonl`.

    Returns the number of images. Its rows are the export's, with `file_name` in front.
    """
    folders = dict(zip(source.classes, folder_names(source.classes), strict=True))
    columns = ("file_name", *source.columns)
    count = 0
    with TemporaryFile() as table:
        for found, key, data in reading_files(source, missed):
            name = file_name(str(found["image"]), str(found["sha256"]), key)
            path = f"{folders[str(found['choice'])]}/{name}"
            with tree.file(path) as file:
                file.write(data)
            row = (path, *(found[column] for column in source.columns))
            table.write(line_of(columns, row).encode())
            count += 1
        table.seek(0)
        with tree.file(METADATA) as file:
            shutil.copyfileobj(table, file)
    return count


def file_name(name: str, sha256: str, key: str) -> str:
    """A file name that no other image of the campaign has, and that every system can hold."""
    stem = _UNSAFE.sub("_", PurePosixPath(name).stem)[:_STEM_LENGTH].strip(" .")
    return f"{stem or 'image'}~{sha256[:16]}{PurePosixPath(key).suffix}"


def folder_names(classes: Sequence[str]) -> list[str]:
    """A folder for each class, all different also where upper and lower case are the same."""
    taken: set[str] = set()
    return [_free(_UNSAFE.sub("_", name)[:_STEM_LENGTH].strip(" ."), taken) for name in classes]


def _free(wanted: str, taken: set[str]) -> str:
    name = next(each for each in _tries(wanted or "class") if each.casefold() not in taken)
    taken.add(name.casefold())
    return name


def _tries(wanted: str) -> Iterator[str]:
    yield wanted
    number = 2
    while True:
        yield f"{wanted}-{number}"
        number += 1
