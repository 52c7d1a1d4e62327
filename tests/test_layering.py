"""The shape of the package: who may import whom, and what may not be in it at all."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import nmt

PACKAGE = Path(nmt.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))

LAYERS: list[set[str]] = [
    {"shown"},
    {"errors", "languages", "cpu_quota"},
    {"memory", "allocation", "environment", "torchrun"},
    {"bootstrap", "error_rates", "config", "metrics", "files"},
    {"kernels"},
    {"data", "model"},
    {"calibration", "calibration_cache", "device", "rank_watch", "distributed", "precision", "inference"},
    {"runs"},
    {"api", "evaluation"},
    {"training"},
    {"info", "plots", "benchmark", "report"},
    {"check", "serve"},
    {"cli"},
    {"__main__"},
]
TORCH_FREE = {
    "shown", "errors", "cpu_quota", "memory", "allocation", "environment", "torchrun", "files", "languages",
    "bootstrap", "error_rates", "config", "metrics", "cli", "__init__", "__main__",
}  # fmt: skip
BANNED_FILES = {"utils", "util", "helpers", "helper", "common", "builders", "constants", "misc"}


def part(path: Path) -> str:
    """`nmt/data/corpus.py` -> `data`, `nmt/api.py` -> `api`."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def module_name(path: Path) -> str:
    """`nmt/data/corpus.py` -> `nmt.data.corpus`, `nmt/model/__init__.py` -> `nmt.model`."""
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


def layer(name: str) -> int:
    return next(index for index, names in enumerate(LAYERS) if name in names)


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path, *, at_start: bool = False) -> Iterator[str]:
    """Every module that a file imports, absolute; with `at_start`, only what is imported as soon as the file is."""
    nodes = ast.walk(tree(path)) if not at_start else iter(tree(path).body)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports are not used here"
            for name in node.names:
                yield f"{node.module}.{name.name}" if node.module == "nmt" else str(node.module)


def test_every_part_has_its_layer() -> None:
    assert {part(path) for path in FILES} == {name for names in LAYERS for name in names} | {"__init__"}


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(PACKAGE)) for path in FILES])
def test_imports_point_one_way(path: Path) -> None:
    if part(path) == "__init__":  # the public names: whatever they need
        return
    for module in imports(path):
        if not module.startswith("nmt.") or module == "nmt.__version__":
            continue
        other = module.split(".")[1]
        assert other == part(path) or layer(other) <= layer(part(path)), f"{part(path)} imports {module}"


def test_data_and_model_do_not_know_each_other() -> None:
    for path in FILES:
        parts = {module.split(".")[1] for module in imports(path) if module.startswith("nmt.")}
        if part(path) == "data":
            assert parts <= {"data", "config", "errors", "languages", "shown", "memory", "allocation", "files"}, path
        if part(path) == "model":
            assert parts <= {"model", "kernels", "config"}, path


def test_parts_of_a_layer_do_not_import_each_other_in_a_circle() -> None:
    known = {
        (part(path), module.split(".")[1])
        for path in FILES
        for module in imports(path, at_start=True)
        if module.startswith("nmt.") and module.split(".")[1] != part(path)
    }
    assert not {(one, other) for one, other in known if (other, one) in known}


def test_no_file_imports_itself_by_way_of_others() -> None:
    """Not even for types alone, or within a function."""
    files = [path for path in FILES if path != PACKAGE / "__init__.py"]  # that has the public names of all
    known = {module_name(path): set(imports(path)) for path in files}
    tuple(TopologicalSorter(known).static_order())  # raises CycleError, which names the circle


@pytest.mark.parametrize("name", sorted(TORCH_FREE))
def test_help_and_config_errors_do_not_wait_for_torch(name: str) -> None:
    files = sorted((PACKAGE / name).rglob("*.py")) or [PACKAGE / f"{name}.py"]
    for module in (module for path in files for module in imports(path, at_start=True)):
        first, _, rest = module.partition(".")
        assert first not in {"torch", "numpy", "sentencepiece", "sacrebleu", "safetensors", "jaxtyping"}
        assert first != "nmt" or rest.split(".")[0] in TORCH_FREE | {"__version__"}, module


def test_no_file_for_everything() -> None:
    assert not {path.stem for path in FILES} & BANNED_FILES
    assert not {path.name for path in PACKAGE.rglob("*") if path.is_dir()} & BANNED_FILES
