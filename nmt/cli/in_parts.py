"""Translate one text with several processes: each takes its windows of lines, rank 0 joins the parts in order.

Finished parts are kept beside the output, in OUTPUT.parts, until all are there. The same command resumes where a killed
one has stopped, with any number of processes.
"""

import json
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nmt.cli.streams import open_output
from nmt.errors import ConfigError, DataError
from nmt.files import MEGA, read_json, remove_leftovers, write_atomic
from nmt.shown import amount

if TYPE_CHECKING:
    from nmt.distributed import Ranks

RECIPE = "recipe.json"


def check_files(input_file: Path | None, output_file: Path | None, kind: str | None) -> tuple[Path, Path]:
    """Return input and output of a command with several processes. Raise ConfigError if they cannot share them."""
    if kind:
        raise ConfigError(f"--format {kind}: one process translates a whole document; start nmt without torchrun")
    if input_file is None or not input_file.is_file():
        raise ConfigError("--input: several processes read one file; name it: -i FILE (a pipe has one reader)")
    if output_file is None or (output_file.exists() and not output_file.is_file()):
        raise ConfigError("--output: several processes write one file; name it: -o FILE")
    return input_file, output_file


def recipe_of(input_file: Path, models: Iterable[Path], options: object) -> dict[str, Any]:
    """Return what decides every line of the output."""
    from nmt.data.corpus import file_hash

    found = input_file.stat()
    return {
        "input": [str(input_file.resolve()), found.st_size, found.st_mtime_ns],
        "models": [file_hash(path) for path in models],
        "options": repr(options),
    }


def translate_in_parts(
    windows: Iterable[tuple[int, Callable[[Counter[str]], Iterable[bytes]]]],
    recipe: dict[str, Any],
    output_file: Path,
    ranks: "Ranks",
) -> Counter[str]:
    """Write the output and return the notes on it.

    `windows` has, for each window of the text, its number of lines and what translates it, counting in notes.
    """
    final = output_file.resolve()
    folder = final.with_name(f"{final.name}.parts")
    if ranks.leads:
        _begin(folder, recipe)
    ranks.barrier()
    count = 0
    for number, (lines, translate) in enumerate(windows):
        count += 1
        part = folder / f"{number:08d}"
        if number % ranks.size != ranks.rank or part.exists():
            continue
        notes: Counter[str] = Counter()
        content = b"".join(translate(notes))
        write_atomic(part, json.dumps({"lines": lines, "notes": notes}).encode() + b"\n" + content)
    ranks.barrier()
    notes = _join(folder, count, output_file) if ranks.leads else Counter()
    ranks.barrier()
    return notes


def _begin(folder: Path, recipe: dict[str, Any]) -> None:
    """Keep the parts of the same text, models and options; remove those of others."""
    try:
        if folder.exists():
            known = read_json(folder / RECIPE) if (folder / RECIPE).is_file() else {}
            done = sum(path.name.isdigit() for path in folder.iterdir())
            if known == recipe:
                remove_leftovers(folder, tuple(f"{number:08d}" for number in range(done + 1000)))
                print(f"resuming with {amount(done, 'part')} in {folder}", file=sys.stderr)
                return
            if known.keys() != recipe.keys() and any(folder.iterdir()):
                raise DataError(f"{folder}: not a folder of this program; move it, or choose another output")
            print(f"note: {folder}: belongs to another text, model or options; starting over", file=sys.stderr)
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        write_atomic(folder / RECIPE, json.dumps(recipe).encode())
    except OSError as error:
        raise DataError(f"{folder}: cannot write: {error.strerror}") from None


def _join(folder: Path, count: int, output_file: Path) -> Counter[str]:
    """Write the parts into one file, in order, and remove them."""
    notes: Counter[str] = Counter()
    with open_output(output_file) as target:
        for number in range(count):
            try:
                with (folder / f"{number:08d}").open("rb") as part:
                    notes.update(json.loads(part.readline())["notes"])
                    while block := part.read(MEGA):
                        target.write(block)
            except OSError as error:
                raise DataError(
                    f"{folder / f'{number:08d}'}: {error.strerror}; all processes must see the same folder"
                ) from None
    shutil.rmtree(folder, ignore_errors=True)
    return notes
