"""The documents keep their word: commands run, generated pages are current, the map is the tree."""

import ast
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


# Pages whose shell blocks are run, in the order in which a newcomer would read them.
PAGES = ("README.md", *(pytest.param(f"docs/{page}.md", marks=pytest.mark.slow) for page in ("tutorial", "how-to")))


def blocks(language: str, page: str = "README.md") -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (PROJECT / page).read_text(encoding="utf-8"), re.DOTALL)


def commands(page: str) -> list[str]:
    return [line for block in blocks("sh", page) for line in block.split("\n") if line]


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory, tiny_corpus: Path) -> Path:
    """A folder like a fresh clone, with a corpus that trains in seconds."""
    folder = tmp_path_factory.mktemp("clone")
    shutil.copytree(PROJECT / "configs", folder / "configs")
    shutil.copytree(tiny_corpus, folder / "data" / "en-fr")
    for name, count in (("train.align", 200), ("test.align", 20)):
        links = (PROJECT / "data" / "en-fr" / name).read_text(encoding="utf-8").split("\n")[:count]
        (folder / "data" / "en-fr" / name).write_text("\n".join(links) + "\n", encoding="utf-8")
    (folder / "data" / "en-fr" / "test.recombined").write_text("1\n3\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize("page", PAGES)
def test_commands_of_the_page(newcomer: Path, page: str) -> None:
    """Every line of every shell block, in order, as a newcomer would type them."""
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "OMP_NUM_THREADS": "1",
    }
    ran = 0
    for command in commands(page):
        program = command.split()[0]
        if program == "make":
            assert re.search(
                rf"^{command.split()[1]}:", (PROJECT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE
            )
            continue
        if program == "pip":
            assert (PROJECT / "constraints.txt").exists()
            assert command in {"pip install -c constraints.txt .", "pip install -c constraints.txt '.[plot]'"}
            continue
        if command.startswith(("nmt train", "nmt check")):
            command = re.sub(r"training\.max_(time|steps)=\S+", "", command) + f" {SMALL}"
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
        assert result.stdout or re.search(r" -[io] |--plot|>", command)
        ran += 1
    assert ran >= 4


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


@pytest.mark.parametrize("page", ["code-map", "cli"])
def test_page_of_the_code_is_current(page: str) -> None:
    script = _load(PROJECT / "scripts" / {"code-map": "make_code_map.py", "cli": "make_cli_reference.py"}[page])
    assert (PROJECT / "docs" / f"{page}.md").read_text(encoding="utf-8") == script.reference(), "run: make reference"


@pytest.mark.parametrize("page", ["README.md", "docs/how-it-works.md", "docs/extending.md", "docs/tutorial.md"])
def test_files_that_a_page_names_exist(page: str) -> None:
    named = set(re.findall(r"`((?:nmt|configs|scripts|tests)/[\w./-]+)`", (PROJECT / page).read_text(encoding="utf-8")))
    assert named
    assert not [name for name in named if not (PROJECT / name).exists()]


def test_readme_is_short() -> None:
    assert README.count("\n") <= 160


def test_python_of_the_api_page(newcomer: Path, tiny_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not (newcomer / "runs" / "en-fr").exists():
        shutil.copytree(tiny_run, newcomer / "runs" / "en-fr")
    monkeypatch.chdir(newcomer)
    for block in blocks("python", "docs/python-api.md"):
        exec(compile(block, "docs/python-api.md", "exec"), {})


def test_python_of_extending_defines_an_attention() -> None:
    [block] = blocks("python", "docs/extending.md")
    names: dict[str, object] = {}
    exec(compile(block, "docs/extending.md", "exec"), names)
    assert "HalfDotAttention" in names


def _templates() -> list[str]:
    """Every text of the package, with `…` for what is filled in."""
    found = []
    for path in (PROJECT / "nmt").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                found.append(
                    "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
                )
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return found


def _messages_of_troubleshooting() -> list[str]:
    page = (PROJECT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.*?`) \|", page, re.MULTILINE)
    return [message for row in rows for message in re.findall(r"`([^`]+)`", row)]


def test_messages_of_troubleshooting_are_those_of_the_package() -> None:
    """A message that is reworded is reworded on the page too."""
    templates = _templates()
    assert len(_messages_of_troubleshooting()) > 50
    unknown = [
        message for message in _messages_of_troubleshooting() if not any(_says(text, message) for text in templates)
    ]
    assert not unknown


def _says(template: str, message: str) -> bool:
    return re.search(".*".join(map(re.escape, message.split("…"))), template, re.DOTALL) is not None


def test_every_diagnostic_of_training_is_on_the_page() -> None:
    """The lines of `warnings_for`, which a newcomer meets first."""
    tree = ast.parse((PROJECT / "nmt" / "training" / "diagnostics.py").read_text(encoding="utf-8"))
    lines = [
        "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
    ]
    lines = [line for line in lines if len(line) > 60]
    assert len(lines) >= 8
    messages = _messages_of_troubleshooting()
    assert not [line for line in lines if not any(_says(line, message) for message in messages)]


def test_windows_is_told_what_works() -> None:
    """In one line, before anything that Windows lacks is imported."""
    code = "import sys; sys.platform = 'win32'; sys.argv = ['nmt']; import nmt.cli"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert "on Windows, use WSL" in result.stderr


@pytest.mark.parametrize("path", sorted((PROJECT / "configs").glob("*.yaml")), ids=lambda path: path.name)
def test_configs_load(path: Path) -> None:
    assert config.load(path).data.source == "en"


def test_links_lead_somewhere() -> None:
    for page in (PROJECT / "README.md", *(PROJECT / "docs").rglob("*.md"), PROJECT / "data" / "README.md"):
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
