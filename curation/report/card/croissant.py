"""The data card as Croissant: JSON-LD that tools find, check and load data sets by.

Source:
    MLCommons, "Croissant Format Specification", version 1.0.
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from curation.download.shard import read_statistics, shard_files, shard_numbers
from curation.report.card.facts import Facts
from curation.report.card.text import harmless
from curation.schemas import SHARD

_CONTEXT = {
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
    "equivalentProperty": "cr:equivalentProperty",
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

TOLD = 1_000
"""Shards that are told one by one, with their checksums, at the most; more are told by their pattern."""

_TAR = "application/x-tar"

_TYPES = {
    pa.string(): "sc:Text",
    pa.int32(): "sc:Integer",
    pa.int64(): "sc:Integer",
    pa.float64(): "sc:Float",
}

_MEDIA = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp"}

_SAYS = {
    "key": "Name of the sample: its members in the tar start with it.",
    "caption": "The first of the texts.",
    "url": "Where the image was found.",
    "image_id": "md5 of the length of the URL and the URL.",
    "uids": "Of the pairs of URL and text.",
    "texts": "What pages say of the image.",
    "keep_probabilities": "With which balancing kept each text.",
    "status": "success, or why the image is not there.",
    "error": "One of a short list of words; null for success.",
    "error_message": "More about the error.",
    "width": "Pixels of the image in the tar.",
    "height": "Pixels of the image in the tar.",
    "original_width": "Pixels of the image as it came, upright.",
    "original_height": "Pixels of the image as it came, upright.",
    "exif": "A few harmless tags, as JSON.",
    "sha256": "Of the bytes as they came.",
    "perceptual_hash": "64 bits in hex, near each other for images that look alike.",
    "size_bytes": "Of the bytes as they came.",
    "opt_outs": "What the server declares against use.",
}

_RESPONSIBLE = {
    "rai:dataCollection": "acquisition",
    "rai:dataLimitations": "limits",
    "rai:personalSensitiveInformation": "identifiable",
    "rai:dataPreprocessingProtocol": "preprocessing",
    "rai:dataUseCases": "other-uses",
    "rai:dataReleaseMaintenancePlan": "updates",
}


def croissant(facts: Facts) -> dict[str, Any]:
    """Describe a data set as Croissant.

    Args:
        facts: of the card.

    Returns:
        JSON-LD. Without shards there is nothing to distribute, and no records are described.
    """
    answers = {answer.name: answer.text for _, topic in facts.topics for answer in topic if answer.text}
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "name": facts.name,
        "description": facts.summary,
        "conformsTo": ["http://mlcommons.org/croissant/1.0", "http://mlcommons.org/croissant/RAI/1.0"],
        **_named(facts),
        "datePublished": _published(facts),
        "inLanguage": list(facts.languages),
        **{name: answers[question] for name, question in _RESPONSIBLE.items() if question in answers},
        **_described(facts),
    }


def _named(facts: Facts) -> dict[str, str]:
    """What only the author knows."""
    names = {"license": "licence", "url": "url", "version": "version", "citeAs": "citation"}
    given = {name: facts.answers[answer] for name, answer in names.items() if answer in facts.answers}
    return {"version": "1.0.0"} | given


def _published(facts: Facts) -> str:
    made = [record.made["at"] for record in facts.run.records() if "at" in record.made]
    return datetime.fromisoformat(max(made)).date().isoformat() if made else ""


def _described(facts: Facts) -> dict[str, Any]:
    record = facts.run.shards
    if record is None:
        return {}
    suffix = record.config["encode_format"]
    tables = {"fileSet": {"@id": "tables"}}
    tars = _tars(facts, record.folder)
    within = [{"@id": tar["@id"]} for tar in tars]
    return {
        "distribution": [
            *tars,
            _files(
                "tables", f"{facts.place}/[0-9]*.parquet", "application/x-parquet", "A row for every image."
            ),
            _files("images", f"*.{suffix}", _MEDIA[suffix], "The images.") | {"containedIn": within},
        ],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": "samples",
                "name": "samples",
                "description": "Every image that was tried, those that failed included.",
                "key": {"@id": "samples/key"},
                "field": [_field(field, tables) for field in SHARD],
            },
            _images(),
        ],
    }


def _tars(facts: Facts, shards: Path) -> list[dict[str, Any]]:
    """The tars of the shards."""
    says = "Images and texts, as WebDataset."
    numbers = shard_numbers(shards)
    if len(numbers) > TOLD:
        return [_files("tars", f"{facts.place}/[0-9]*.tar", _TAR, says)]
    paths = {number: shard_files(shards, number)[0] for number in numbers}
    return [
        {
            "@type": "cr:FileObject",
            "@id": path.name,
            "name": path.name,
            "description": says,
            "contentUrl": f"{facts.place}/{path.name}",
            "contentSize": f"{path.stat().st_size} B",
            "encodingFormat": _TAR,
            "sha256": read_statistics(shards, number)["sha256"]["tar"],
        }
        for number, path in paths.items()
    ]


def _files(name: str, includes: str, kind: str, says: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileSet",
        "@id": name,
        "name": name,
        "description": says,
        "encodingFormat": kind,
        "includes": includes,
    }


def _field(field: pa.Field, tables: Mapping[str, Any]) -> dict[str, Any]:
    is_list = pa.types.is_list(field.type)
    return {
        "@type": "cr:Field",
        "@id": f"samples/{field.name}",
        "name": field.name,
        "description": harmless(_SAYS[field.name]),
        "dataType": _TYPES[field.type.value_type if is_list else field.type],
        **({"repeated": True} if is_list else {}),
        "source": {**tables, "extract": {"column": field.name}},
    }


def _images() -> dict[str, Any]:
    """The images of the tars, which their keys join to the rows of the tables."""
    images = {"fileSet": {"@id": "images"}}
    key = {"extract": {"fileProperty": "filename"}, "transform": {"regex": r"^([^.]+)"}}
    return {
        "@type": "cr:RecordSet",
        "@id": "pictures",
        "name": "pictures",
        "description": "The images that came.",
        "key": {"@id": "pictures/key"},
        "field": [
            {
                "@type": "cr:Field",
                "@id": "pictures/key",
                "name": "key",
                "description": _SAYS["key"],
                "dataType": "sc:Text",
                "references": {"field": {"@id": "samples/key"}},
                "source": {**images, **key},
            },
            {
                "@type": "cr:Field",
                "@id": "pictures/image",
                "name": "image",
                "description": "The image.",
                "dataType": "sc:ImageObject",
                "source": {**images, "extract": {"fileProperty": "content"}},
            },
        ],
    }
