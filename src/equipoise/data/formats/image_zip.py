"""A zip of images, read in place: nothing is unpacked onto the disk, so no name in it can lead outside."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from equipoise.data.dataset import DataOptions, Dataset
from equipoise.data.formats.format import DataFormat, has_suffix
from equipoise.data.formats.zips import METHODS, open_zip
from equipoise.data.images.decode import UnusableImage
from equipoise.data.images.files import images_from_files, named_images, open_bytes
from equipoise.data.store.cache import cache_key, file_facts
from equipoise.errors import DataError
from equipoise.files import replacing
from equipoise.limits import limit, raise_it, refuse_expansion


def read_zip(path: Path, options: DataOptions) -> Dataset:
    """All images of a zip, by the rules that hold for a folder."""
    most_bytes = limit("picture_bytes")
    with open_zip(path) as archive:
        # Of two entries with one name the later counts, as it does for unzip.
        listed = [entry for entry in archive.infolist() if _inside(entry.filename)]  # a zip may list empty names
        entries = {_inside(entry.filename): entry for entry in listed if not entry.is_dir()}
        refuse_expansion(
            str(path), stored=path.stat().st_size, expanded=sum(entry.file_size for entry in entries.values())
        )

        def open_entry(name: str):
            entry = entries[name]
            if entry.flag_bits & 1:
                raise UnusableImage("encrypted")
            if entry.compress_type not in METHODS:
                raise UnusableImage("packed by a method that is not read")
            if entry.file_size > most_bytes:
                raise UnusableImage(f"{entry.file_size:,} bytes are too many for an image")
            return open_bytes(archive.open(entry))

        def read(name: str) -> bytes:
            if entries[name].flag_bits & 1 or entries[name].compress_type not in METHODS:
                raise DataError(
                    f"{path}, {name}",
                    "it is encrypted, or packed by a method that is not read.",
                    "Expected a file that names the classes of the images.",
                    "Pack the zip again, or turn the labels off (data.use_labels=false).",
                )
            if entries[name].file_size > limit("json_bytes"):
                raise DataError(
                    f"{path}, {name}", "it is too large.", "Expected a list of classes.", raise_it("json_bytes")
                )
            return archive.read(entries[name])

        key = cache_key("zip", *file_facts(path), options.target_size, options.max_bad_share, *options.pixels)
        folders = [_inside(entry.filename) for entry in listed if entry.is_dir()]
        return images_from_files(
            list(entries), open_entry, read, folders=folders, options=options, source=str(path), key=key
        )


def _inside(name: str) -> str:
    """A name as it would lie below the zip: no root, no way up."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return "/".join(part for part in parts if part not in ("/", "..", "."))


def write_zip(path: Path, batches: Iterable[Dataset], rows: int) -> None:
    """One PNG per image, stored as they are: PNG is compressed already."""
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        for name, content in named_images(batches, rows):
            archive.writestr(zipfile.ZipInfo(name), content)


FORMATS = {"image-zip": DataFormat("a zip of images", (".zip",), ("images",), has_suffix(".zip"), read_zip, write_zip)}
