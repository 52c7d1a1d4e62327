"""Resolve the name of a corpus, such as `train`, and two languages to its files."""

from pathlib import Path
from typing import NamedTuple

from nmt.data.formats import FORMATS
from nmt.data.zipped import names_in, zip_member
from nmt.errors import DataError

COMPRESSIONS = ("", ".gz", ".bz2", ".xz", ".zst")
TEXT_ENDINGS = ("", ".txt", ".sgm", ".sgml", ".xml")
ROLES = (("src", "tgt"), ("src", "trg"), ("source", "target"), ("src", "ref"))
OTHER_NAMES = {  # of the same part of a corpus, tried in this order if nothing has the name itself
    "train": ("training",),
    "valid": ("val", "dev", "validation"),
    "test": (),
}


class Layout(NamedTuple):
    """Names of the two files, in which STEM, SRC and TRG stand for the name and the languages."""

    source: str
    target: str

    def filled(self, stem: str, languages: tuple[str, str]) -> tuple[str, str]:
        """Return the file names of this layout for a stem and two languages."""
        one, other = (
            name.replace("STEM", stem).replace("SRC", languages[0]).replace("TRG", languages[1]) for name in self
        )
        return one, other


# The first layout is what `nmt` always read, and wins over the others; two others that fit are an error.
LAYOUTS: dict[str, Layout] = {
    "STEM.LANGUAGE": Layout("STEM.SRC", "STEM.TRG"),
    "STEM.SRC-TRG.LANGUAGE": Layout("STEM.SRC-TRG.SRC", "STEM.SRC-TRG.TRG"),
    "STEM.TRG-SRC.LANGUAGE": Layout("STEM.TRG-SRC.SRC", "STEM.TRG-SRC.TRG"),
    "STEM_LANGUAGE": Layout("STEM_SRC", "STEM_TRG"),
    "STEM-LANGUAGE": Layout("STEM-SRC", "STEM-TRG"),
    "LANGUAGE.STEM": Layout("SRC.STEM", "TRG.STEM"),
    "LANGUAGE-STEM": Layout("SRC-STEM", "TRG-STEM"),
    "LANGUAGE_STEM": Layout("SRC_STEM", "TRG_STEM"),
    "LANGUAGE/STEM": Layout("SRC/STEM", "TRG/STEM"),
    "STEM/LANGUAGE": Layout("STEM/SRC", "STEM/TRG"),
    "LANGUAGE/STEM.LANGUAGE": Layout("SRC/STEM.SRC", "TRG/STEM.TRG"),
    **{f"{one}-STEM, {other}-STEM": Layout(f"{one}-STEM", f"{other}-STEM") for one, other in ROLES},
    **{f"STEM.{one}, STEM.{other}": Layout(f"STEM.{one}", f"STEM.{other}") for one, other in ROLES},
    "STEM-src.LANGUAGE": Layout("STEM-src.SRC", "STEM-ref.TRG"),
}
WHOLE_NAMES = Layout("SRC", "TRG")  # eBible: `eng-web.txt`; the languages are the names, and the text is for training


def existing(place: Path, name: str) -> bool:
    """Return whether a folder or a .zip file has a file of this name."""
    path = place / name
    if path.exists():
        return not path.is_dir()
    member = zip_member(path)
    return member is not None and member.name in names_in(member.archive)


def is_place(path: Path) -> bool:
    """Return whether a path is a folder, a .zip file, or a folder inside one."""
    return path.is_dir() or (path.suffix == ".zip" and path.is_file()) or zip_member(path) is not None


def names_at(place: Path) -> list[str]:
    """Return the files and folders of a folder, or the files of a .zip, sorted."""
    if place.is_dir():
        try:
            return sorted(path.name for path in place.iterdir() if not path.name.startswith("."))
        except OSError as error:
            raise DataError(f"{place}: cannot read the folder: {error.strerror}") from None
    member = zip_member(place)
    if member is None:
        return names_in(place)
    inside = f"{member.name}/"
    return [name.removeprefix(inside) for name in names_in(member.archive) if name.startswith(inside)]


def pairs_of(place: Path, stem: str, languages: tuple[str, str]) -> dict[str, tuple[Path, Path]]:
    """Return pairs of files that a name can mean, by their layout. If STEM.LANGUAGE fits, it is the only one."""
    here = set(names_at(place))
    found: dict[str, tuple[Path, Path]] = {}
    for name, layout in LAYOUTS.items():
        for ending in TEXT_ENDINGS:
            if pair := _pair(place, here, layout.filled(stem, languages), ending):
                if name == "STEM.LANGUAGE":
                    return {name: pair}
                if pair not in found.values():
                    found[f"{name}{ending}"] = pair
    if not found and stem == "train":
        for ending in TEXT_ENDINGS[1:]:
            if pair := _pair(place, here, WHOLE_NAMES.filled(stem, languages), ending):
                found[f"LANGUAGE{ending}"] = pair
    return found


def _pair(place: Path, here: set[str], names: tuple[str, str], ending: str) -> tuple[Path, Path] | None:
    """Return both files, plain or compressed."""
    source, target = (_plain_or_compressed(place, here, f"{name}{ending}") for name in names)
    return (source, target) if source and target else None


def _plain_or_compressed(place: Path, here: set[str], name: str) -> Path | None:
    """Return the file of a name, perhaps compressed; `here` are the names at the place, which spare asking for each."""
    for packed in COMPRESSIONS:
        full = f"{name}{packed}"
        if (full in here or full.partition("/")[0] in here) and existing(place, full):
            return place / full
    return None


def files_of(place: Path, stem: str, languages: tuple[str, str]) -> list[Path]:
    """Return files with both sides that a name can mean: `train.tsv`, `train.en-fr.tsv`, `train.en-fr`."""
    endings = [ending for kind in FORMATS.values() for ending in kind.endings]
    codes = (f".{languages[0]}-{languages[1]}", f".{languages[1]}-{languages[0]}")
    names = [
        *(f"{stem}{ending}" for ending in endings),
        *(f"{stem}{pair}{ending}" for pair in codes for ending in ("", ".txt", *endings)),
    ]
    here = set(names_at(place))
    found = (_plain_or_compressed(place, here, name) for name in dict.fromkeys(names))
    return [path for path in found if path]
