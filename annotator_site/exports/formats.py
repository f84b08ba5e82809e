"""The export formats, by their names for `export_labels --format`."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from annotator_site.exports.comma_separated import write_csv
from annotator_site.exports.json_lines import write_jsonl
from annotator_site.exports.outputs import Out, Row

FORMATS: Final[dict[str, Callable[[Out, Sequence[str], Iterable[Row]], int]]] = {
    "csv": write_csv,
    "jsonl": write_jsonl,
}
