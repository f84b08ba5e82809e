"""Opening a folder, a zip or a tar, whose files are read one after another.

Archives are not unpacked: files are read straight from the archive, their names are never used
as paths. Disk use does not grow with a source; memory does by 40 bytes a file at most, and for a
folder by the files' names.
"""

import os
from pathlib import Path

from annotator_site.importing.archives import TarSource, ZipSource
from annotator_site.importing.entries import Source, SourceError
from annotator_site.importing.file_names import NameDecoder, UnknownEncodingError
from annotator_site.importing.folders import FolderSource


def open_source(path: Path, *, name_encoding: str | None = None, as_stored: bool = False) -> Source:
    """The folder or archive at `path`, recognized by content. Raises SourceError.

    `name_encoding`: the encoding of file names that do not state one. `as_stored`: read the files
    in the order of a folder's names or of a zip's directory, rather than mixed (`fair_order`).
    """
    try:
        decoder = NameDecoder(name_encoding)
        if path.is_dir():
            os.listdir(path)  # noqa: PTH208 - only to see whether it may be read
            return FolderSource(path, decoder, as_stored)
        with path.open("rb") as file:
            head = file.read(512)
    except UnknownEncodingError as error:
        raise SourceError(str(error)) from error
    except FileNotFoundError as error:
        raise SourceError(f"{path} does not exist.") from error
    except OSError as error:
        raise SourceError(f"{path} cannot be read ({error.strerror}).") from error
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return ZipSource(path, decoder, as_stored)
    if head.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00")) or head[257:262] == b"ustar":
        return TarSource(path, decoder)
    if head.startswith(b"PAR1") or path.suffix.lower() in {".csv", ".jsonl", ".parquet"}:
        raise SourceError(
            f"{path} is a list of images, and lists (CSV, JSONL, Parquet) are not supported yet: "
            "give the folder, zip or tar with the images, and a CSV of path,label by "
            "--known-labels."
        )
    raise SourceError(f"{path} is not a folder, a zip or a tar (also .tar.gz, .tar.xz, .tar.bz2).")
