"""The documents keep their word: commands run, generated pages are current, the map is the tree."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from nmt import config
from nmt.config.values import Registered

PROJECT = Path(__file__).parent.parent
README = (PROJECT / "README.md").read_text(encoding="utf-8")

# What makes a training of minutes one of seconds.
SMALL = (
    "training.max_steps=2 training.max_time=0 training.validate_every=2 training.warmup=2 threads=1 "
    "model.embedding=16 model.hidden=16"
)
PIECES = "subword.vocab_size=360"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands() -> list[str]:
    return [line for block in blocks("sh") for line in block.split("\n") if line]


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory, tiny_corpus: Path) -> Path:
    """A folder like a fresh clone, with a corpus that trains in seconds."""
    folder = tmp_path_factory.mktemp("clone")
    shutil.copytree(PROJECT / "configs", folder / "configs")
    shutil.copytree(tiny_corpus, folder / "data" / "en-fr")
    gold = (PROJECT / "data" / "en-fr" / "test.align").read_text(encoding="utf-8").split("\n")[:20]
    (folder / "data" / "en-fr" / "test.align").write_text("\n".join(gold) + "\n", encoding="utf-8")
    (folder / "data" / "en-fr" / "test.recombined").write_text("1\n3\n", encoding="utf-8")
    return folder


def test_commands_of_the_readme(newcomer: Path) -> None:
    """Every line of every shell block, in order, as a newcomer would type them."""
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "OMP_NUM_THREADS": "1",
    }
    ran = 0
    for command in commands():
        program = command.split()[0]
        if program == "make":
            assert re.search(
                rf"^{command.split()[1]}:", (PROJECT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE
            )
            continue
        if program == "pip":
            assert (PROJECT / "constraints.txt").exists()
            assert command == "pip install -c constraints.txt ."
            continue
        if command.startswith(("nmt train", "nmt check")):
            command = re.sub(r"training\.max_time=\S+", "", command) + f" {SMALL}"
            command += "" if "start_from" in command or "teachers" in command else f" {PIECES}"
        result = subprocess.run(
            ["sh", "-c", command],
            cwd=newcomer,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
        assert result.stdout or "-i " in command
        ran += 1
    assert ran >= 10


def test_python_of_the_readme(newcomer: Path, tiny_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not (newcomer / "runs" / "en-fr").exists():
        shutil.copytree(tiny_run, newcomer / "runs" / "en-fr")
    monkeypatch.chdir(newcomer)
    [block] = blocks("python")
    exec(compile(block, "README.md", "exec"), {})


def test_generated_pages_are_current() -> None:
    script = _load(PROJECT / "scripts" / "make_settings_reference.py")
    assert (PROJECT / "docs" / "settings.md").read_text(encoding="utf-8") == script.reference(), "run: make reference"
    assert (PROJECT / "configs" / "schema.json").read_text(encoding="utf-8") == script.schema(), "run: make reference"


def test_page_of_systems_is_current() -> None:
    script = _load(PROJECT / "scripts" / "make_systems_reference.py")
    assert (PROJECT / "docs" / "systems.md").read_text(encoding="utf-8") == script.reference(), "run: make reference"


def test_page_of_systems_has_every_table_and_says_what_each_entry_is() -> None:
    tables = dict(_load(PROJECT / "scripts" / "make_systems_reference.py").tables().values())
    assert {key: tuple(meanings) for key, meanings in tables.items()} == dict(_registered())
    assert all(meaning.endswith(".") for meanings in tables.values() for meaning in meanings.values())


def _registered() -> Iterator[tuple[str, tuple[str, ...]]]:
    """The keys that take a name out of a table, with the names."""
    keys = config.keys()
    for key in keys:
        yield from ((key, extra.names()) for extra in config.field(key).metadata if isinstance(extra, Registered))


def test_a_system_without_docstring_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    script = _load(PROJECT / "scripts" / "make_systems_reference.py")
    monkeypatch.setattr(script.SCHEDULES["constant"], "__doc__", None)
    with pytest.raises(ValueError, match="constant: constant needs a docstring"):
        script.reference()


def _load(path: Path) -> ModuleType:
    specification = spec_from_file_location(path.stem, path)
    assert specification and specification.loader
    module = module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_map_is_the_tree() -> None:
    """The README names every module, under its folder, and none that is not there."""
    [tree] = [block for block in blocks("text") if "seq2seq.py" in block]
    folder, named = "", set()
    for line in tree.split("\n"):
        match = re.match(r"( *)(\S+)", line)
        if not match or not line.startswith("  "):
            continue
        indent, name = len(match[1]), match[2]
        folder = name if name.endswith("/") else folder if indent > 2 else ""
        if name.endswith(".py"):
            named.add(f"{folder}{name}")
    modules = {
        str(path.relative_to(PROJECT / "nmt"))
        for path in (PROJECT / "nmt").rglob("*.py")
        if path.name not in {"__init__.py", "__main__.py"}
    }
    assert named == modules


@pytest.mark.parametrize("path", sorted((PROJECT / "configs").glob("*.yaml")), ids=lambda path: path.name)
def test_configs_load(path: Path) -> None:
    assert config.load(path).data.source == "en"


def test_links_lead_somewhere() -> None:
    for page in (PROJECT / "README.md", *(PROJECT / "docs").glob("*.md"), PROJECT / "data" / "README.md"):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
