"""The shape of the package: who may import whom, and what may not be in it at all."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import nmt

PACKAGE = Path(nmt.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))

LAYERS: list[set[str]] = [
    {"errors"},
    {"config", "metrics"},
    {"data", "model"},
    {"device", "run", "decoding"},
    {"test_sets", "evaluation", "training"},
    {"information", "plots", "benchmark"},
    {"cli"},
    {"__main__"},
]
TORCH_FREE = {"errors", "config", "metrics", "cli", "__init__", "__main__"}
BANNED_FILES = {"utils", "util", "helpers", "helper", "common", "builders", "constants", "misc"}
NETWORK = {
    "aiohttp", "asyncio", "ftplib", "http", "httpx", "imaplib", "poplib", "requests", "smtplib", "socket",
    "socketserver", "ssl", "telnetlib", "urllib", "urllib3", "xmlrpc",
}  # fmt: skip
UNPICKLING = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}


def part(path: Path) -> str:
    """`nmt/data/corpus.py` -> `data`, `nmt/run.py` -> `run`."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


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
            assert parts <= {"data", "config", "errors"}, path
        if part(path) == "model":
            assert parts <= {"model", "config"}, path


def test_parts_of_a_layer_do_not_import_each_other_in_a_circle() -> None:
    known = {
        (part(path), module.split(".")[1])
        for path in FILES
        for module in imports(path, at_start=True)
        if module.startswith("nmt.") and module.split(".")[1] != part(path)
    }
    assert not {(one, other) for one, other in known if (other, one) in known}


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


# Security ------------------------------------------------------------------------------------------------------------

TORCH_FILES = {"load", "save"}


def dotted(node: ast.expr) -> str:
    """`torch.load` of a call to it; "" of anything that is not a dotted name."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def dangers(path: Path) -> Iterator[str]:
    for module in imports(path):
        if module.split(".")[0] in NETWORK | UNPICKLING:
            yield f"imports {module}"
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom) and node.module == "torch":
            yield from (f"imports torch.{name.name}" for name in node.names if name.name in TORCH_FILES)
        if not isinstance(node, ast.Call):
            continue
        name = dotted(node.func)
        last = name.rpartition(".")[2]
        if name in {"eval", "exec", "compile", "__import__", "torch.load", "torch.save", "torch.jit.load"}:
            yield f"calls {name}"
        if name in {"os.system", "os.popen"} or last in {"unsafe_load", "full_load", "load_state_dict_from_url"}:
            yield f"calls {name}"
        if name in {"yaml.load", "yaml.load_all", "numpy.load", "np.load"}:
            yield f"calls {name}"
        if re.fullmatch(r"(all_gather|broadcast|gather|scatter|send|recv)_object(_list)?", last):  # they pickle
            yield f"calls {name}"
        for keyword in node.keywords:
            if keyword.arg in {"shell", "allow_pickle"} and getattr(keyword.value, "value", True):
                yield f"{keyword.arg}= in {name}"


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(PACKAGE)) for path in FILES])
def test_nothing_unpickles_evaluates_or_opens_a_connection(path: Path) -> None:
    assert list(dangers(path)) == []


@pytest.mark.parametrize(
    "line",
    [
        "import pickle", "from pickle import loads", "import torch; torch.load(x)", "from torch import load",
        "eval(x)", "exec(x)", "import yaml; yaml.load(x)", "import subprocess; subprocess.run(x, shell=True)",
        "dist.broadcast_object_list(x)", "dist.all_gather_object(x)", "import urllib.request", "import socket",
        "np.load(x, allow_pickle=True)", "import http.client",
    ],
)  # fmt: skip
def test_the_test_sees_dangers(tmp_path: Path, line: str) -> None:
    (tmp_path / "bad.py").write_text(line, encoding="utf-8")
    assert list(dangers(tmp_path / "bad.py"))


def test_the_only_yaml_loader_is_the_safe_one() -> None:
    import yaml

    from nmt.config import text

    assert issubclass(text._Loader, yaml.SafeLoader)
