"""Croissant 1.1: metadata that describe a Parquet of the rows, and how the labels came about.

https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html, with the fields for responsible
AI of https://docs.mlcommons.org/croissant/docs/croissant-rai-spec.html.
"""

import hashlib
import json
from typing import Any, BinaryIO, Final

from annotator_site.exports.facts import Facts, facts_of
from annotator_site.exports.outputs import plain
from annotator_site.exports.parquet import TYPES, write_parquet
from annotator_site.exports.source import Source
from annotator_site.exports.trees import Tree

METADATA: Final = "croissant.json"
_DATA: Final = "rows.parquet"
_CONTEXT: Final[dict[str, Any]] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_DATA_TYPES: Final = {"int64": "sc:Integer", "double": "sc:Float"}
_MEANINGS: Final = {
    "label_id": "The answer's id; unique for each annotator.",
    "image": "The image file's name at import, folders included.",
    "sha256": "SHA-256 of the image file.",
    "choice": "The class.",
    "annotator": "Pseudonym of the person; another one in each campaign.",
    "answered_at": "When the answer was stored, UTC.",
    "shown_ms": "How long the image was in view, in milliseconds.",
    "retracted_at": "When its author took it back; null: it counts.",
    "purpose": "Why the image was asked: active, audit or gold.",
    "worker": "The worker that asked.",
    "strategy": "The strategy that chose the image.",
    "score": "The strategy's score.",
    "model_version": "The model version that scored the image.",
    "staleness": "Labels that this version had not seen when the answer came.",
    "query_age_s": "Seconds from the query to the answer.",
    "consensus_choice": "The class with most answers.",
    "confidence": "The share of answers that chose it.",
    "answers": "How many answers count.",
    "decided_at": "When this consensus was reached, UTC.",
}


def write_croissant(tree: Tree, source: Source) -> int:
    """Write rows.parquet and croissant.json, which describes it. Returns the number of rows."""
    facts = facts_of(source.campaign.pk)
    with tree.file(_DATA) as file:
        hashed = _Hashed(file)
        count = write_parquet(hashed, source)  # type: ignore[arg-type]
    metadata = metadata_of(source, facts, sha256=hashed.digest.hexdigest(), size=hashed.size)
    with tree.file(METADATA) as file:
        file.write((json.dumps(metadata, ensure_ascii=False, indent=2) + "\n").encode())
    return count


def metadata_of(source: Source, facts: Facts, *, sha256: str, size: int) -> dict[str, Any]:
    """The JSON-LD of rows in a file of this hash and size in bytes."""
    campaign = source.campaign
    changed = plain(facts.last or campaign.created_at)
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": [
            "http://mlcommons.org/croissant/1.1",
            "http://mlcommons.org/croissant/RAI/1.0",
        ],
        "name": campaign.slug,
        "alternateName": campaign.title,
        "description": f"Labels of images: {campaign.title}. Classes: {', '.join(source.classes)}.",
        "datePublished": changed,
        "dateModified": changed,
        "version": "1.0.0",
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": _DATA,
                "name": _DATA,
                "description": "One row for each image or answer.",
                "contentUrl": _DATA,
                "contentSize": f"{size} B",
                "encodingFormat": "application/x-parquet",
                "sha256": sha256,
            }
        ],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": "rows",
                "name": "rows",
                "description": "The rows of the export.",
                "field": [_field(name) for name in source.columns],
            }
        ],
        **_responsible(source, facts),
    }


def _field(name: str) -> dict[str, Any]:
    kind = str(TYPES.get(name, "string"))
    return {
        "@type": "cr:Field",
        "@id": f"rows/{name}",
        "name": name,
        "description": _MEANINGS[name],
        "dataType": "sc:DateTime"
        if kind.startswith("timestamp")
        else _DATA_TYPES.get(kind, "sc:Text"),
        "source": {"fileObject": {"@id": _DATA}, "extract": {"column": name}},
    }


def _responsible(source: Source, facts: Facts) -> dict[str, Any]:
    """The fields for responsible AI that the database knows; nothing is made up for the others."""
    campaign = source.campaign
    found: dict[str, Any] = {
        "rai:dataCollection": (
            f"{facts.people} people gave {facts.answers} answers to {facts.images} images, one "
            "image after the other, in a web browser or by a program of theirs."
        ),
        "rai:annotationsPerItem": str(campaign.answers_per_image),
        "rai:dataAnnotationPlatform": ["Nowait"],
        "rai:dataAnnotationProtocol": (
            f"Instructions as annotators read them, list of classes {campaign.choices_version}: "
            f"{campaign.instructions.strip() or 'none'}"
        ),
        "rai:dataBiases": [
            (
                "Images were chosen by active learning, which prefers those that a model is unsure "
                "of: answers whose purpose is not audit are no random sample of the collection."
            )
        ],
    }
    if facts.strategies:
        found["rai:machineAnnotationTools"] = [
            (
                "Which images people were asked about was chosen by: "
                f"{', '.join(facts.strategies)}. Every label was given by a person."
            )
        ]
    if facts.first and facts.last:
        found["rai:dataCollectionTimeFrame"] = [plain(facts.first), plain(facts.last)]
    if facts.agreement is not None:
        found["rai:dataAnnotationAnalysis"] = [
            (
                f"Of {facts.contested} images with several answers, {facts.agreement:.3f} of the "
                "answers agree with the consensus on average."
            )
        ]
    return found


class _Hashed:
    """A file that is hashed while it is written."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = hashlib.sha256()
        self.size = 0
        self.closed = False

    def write(self, data: bytes) -> int:
        """Write all of it."""
        self._file.write(data)
        self.digest.update(data)
        self.size += len(data)
        return len(data)

    def tell(self) -> int:
        """Bytes so far."""
        return self.size

    def flush(self) -> None:
        """Hand on what was written."""
        self._file.flush()

    def close(self) -> None:
        """Nothing: who opened the file closes it."""
