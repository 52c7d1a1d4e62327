"""Files inside a .zip, named as if the archive were a folder: `corpus.zip/news.en-fr.en`."""

import functools
import io
import zipfile
from pathlib import Path
from typing import NamedTuple

from nmt.errors import DataError


class Member(NamedTuple):
    """Name a file in a zip archive."""

    archive: Path
    name: str  # inside the archive, with `/` between its parts


def zip_member(path: Path) -> Member | None:
    """Return the archive and the name inside it that a path stands for; None for any other path."""
    for parent in path.parents:
        if parent.suffix == ".zip" and parent.is_file():
            return Member(parent, path.relative_to(parent).as_posix())
    return None


def names_in(archive: Path) -> list[str]:
    """Return the names of the files in an archive, sorted. Raises DataError if it is damaged."""
    state = archive.stat()
    return list(_names(archive, state.st_mtime_ns, state.st_size))


@functools.lru_cache(maxsize=8)
def _names(archive: Path, changed: int, size: int) -> tuple[str, ...]:
    try:
        with zipfile.ZipFile(archive) as opened:
            return tuple(sorted(info.filename for info in opened.infolist() if not info.is_dir()))
    except (zipfile.BadZipFile, OSError, NotImplementedError) as error:
        raise DataError(f"{archive}: not a valid .zip file ({error}); download or create it again") from None


def open_member(member: Member) -> io.BufferedIOBase:
    """Return the bytes of a file in an archive. Raises DataError if it is not there or cannot be read."""
    try:
        archive = zipfile.ZipFile(member.archive)
        try:
            return io.BufferedReader(archive.open(member.name))  # type: ignore[type-var]
        finally:
            archive.close()  # the open member keeps the file open as long as it needs it
    except KeyError:
        raise DataError(f"{member.archive}: has no {member.name}") from None
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError) as error:
        raise DataError(f"{member.archive}: cannot read {member.name} ({error}); unpack the file yourself") from None
