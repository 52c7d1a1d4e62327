"""Security: nothing in the program can unpickle, evaluate, start a shell or open a connection, by its source."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_layering import FILES, PACKAGE, imports, tree

NETWORK = {
    "aiohttp", "asyncio", "ftplib", "http", "httpx", "imaplib", "poplib", "requests", "smtplib", "socket",
    "socketserver", "ssl", "telnetlib", "urllib", "urllib3", "xmlrpc",
}  # fmt: skip
UNPICKLING = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
TORCH_FILES = {"load", "save"}
SERVING = {PACKAGE / "serve" / "texts.py", PACKAGE / "cli" / "serve.py"}  # the purpose of `nmt serve`


def dotted(node: ast.expr) -> str:
    """`torch.load` of a call to it; "" of anything that is not a dotted name."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def dangers(path: Path) -> Iterator[str]:
    for module in imports(path):
        serves = path in SERVING and module in {"asyncio", "socket"}
        if module.split(".")[0] in NETWORK | UNPICKLING and not serves:
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
