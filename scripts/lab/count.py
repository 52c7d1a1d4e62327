"""Count the code: files, lines, functions, single-use helpers, docstrings, comments, words of documentation.

    python scripts/lab/count.py [FOLDER ...]       # checkouts, a column each; by default this one
    python scripts/lab/count.py --helpers FOLDER   # which helpers; --undocumented: which names lack a docstring

The rules, which need no judgement:

* A function's length is from `def` to its last line, decorators and docstring included; nested functions count too.
* A single-use private helper is a function or method `_name` that its own file names exactly once outside its
  definition, and that no other file of the package names. Not counted: dunders, nested functions, and methods that
  override one of a base class within the package or are overridden. It is called there, or passed on as a value (to a
  table, a thread, a signal handler), which only a function can be.
* Public names are module-level functions and classes without a leading underscore, and public methods of public
  classes. Left out: nested functions, properties' setters, and methods that override a documented one of a base class,
  in the package or in torch.nn.Module.
* A comment is a `#` outside a string, alone or after code; `# type:` and `# noqa` are none.
* Words of documentation are those of docs/**/*.md outside docs/lab.
"""

import ast
import io
import re
import statistics
import sys
import tokenize
from collections import Counter
from pathlib import Path

Function = ast.FunctionDef | ast.AsyncFunctionDef
OF_TORCH = {"forward", "reset_parameters", "extra_repr"}
COMMENTED = ("model", "kernels", "inference", "decoding")  # `decoding` is what `inference` was called


def count(project: Path) -> dict[str, float]:
    """Return {what: how much} of a checkout."""
    files = sorted((project / "nmt").rglob("*.py"))
    trees = {file: ast.parse(file.read_text(encoding="utf-8")) for file in files}
    lengths = sorted(
        node.end_lineno - min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)]) + 1
        for tree in trees.values()
        for node in ast.walk(tree)
        if isinstance(node, Function) and node.end_lineno
    )
    helpers = single_use(trees)
    public = [bool(ast.get_docstring(node)) for _, node in public_names(trees)]
    commented = [file for file in files if file.relative_to(project).parts[1] in COMMENTED]
    pages = [page for page in (project / "docs").rglob("*.md") if "lab" not in page.relative_to(project).parts]
    return {
        "files of nmt/": len(files),
        "lines of nmt/": sum(_lines(file) for file in files),
        "median length of a function, lines": statistics.median(lengths),
        "90th percentile": lengths[len(lengths) * 9 // 10],
        "single-use private helpers": len(helpers),
        "of these called, not passed as a value": sum(lines > 0 for *_, lines in helpers),
        "of these with less than 6 lines": sum(0 < lines < 6 for *_, lines in helpers),
        "single-use private helpers per 1,000 lines": round(1000 * len(helpers) / sum(map(_lines, files)), 1),
        "public names": len(public),
        "of these with a docstring, %": round(100 * sum(public) / len(public), 1),
        "comments per 100 lines in model, kernels and inference": round(
            100 * sum(map(comments, commented)) / sum(map(_lines, commented)), 1
        ),
        "words under docs/ outside lab": sum(len(page.read_text(encoding="utf-8").split()) for page in pages),
        "lines of README.md": _lines(project / "README.md"),
    }


def single_use(trees: dict[Path, ast.Module]) -> list[tuple[Path, str, int]]:
    """Return (file, name, lines) of private functions that are named once outside their definition.

    The lines are 0 where the function is not called there but passed on as a value.
    """
    everywhere = Counter(name for tree in trees.values() for name in _names(tree))
    bases = _methods(trees)
    hooks = {(base, name) for above, methods in bases.values() for base in above for name in methods}
    found = []
    for file, tree in trees.items():
        here = Counter(_names(tree))
        called = {_base(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        for owner, function in _functions(tree):
            name = function.name
            inside = Counter(_names(function))[name]  # recursion is no use from outside
            private = name.startswith("_") and not name.startswith("__")
            if not private or (owner and _overrides(owner, name, bases)) or (owner and (owner.name, name) in hooks):
                continue
            if here[name] - inside == 1 and everywhere[name] == here[name]:
                length = (function.end_lineno or 0) - function.lineno + 1
                found.append((file, name, length if name in called or _is_property(function) else 0))
    return found


def public_names(trees: dict[Path, ast.Module]) -> list[tuple[str, ast.AST]]:
    """Return (place, node) of every public function, class and method."""
    bases = _methods(trees)
    found: list[tuple[str, ast.AST]] = []
    for file, tree in trees.items():
        found += [
            (f"{file}:{node.lineno} {node.name}", node)
            for node in tree.body
            if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_")
        ]
        for owner, function in _functions(tree):
            setter = any(isinstance(part, ast.Attribute) and part.attr == "setter" for part in function.decorator_list)
            if owner and not setter and not f"{owner.name}{function.name}".startswith("_"):
                hidden = function.name.startswith("_") or owner.name.startswith("_")
                if not hidden and not _overrides(owner, function.name, bases, documented=True):
                    found.append((f"{file}:{function.lineno} {owner.name}.{function.name}", function))
    return found


def comments(file: Path) -> int:
    """Return the number of comments in a file."""
    tokens = tokenize.generate_tokens(io.StringIO(file.read_text(encoding="utf-8")).readline)
    return sum(t.type == tokenize.COMMENT and not re.match(r"#\s*(type:|noqa|mypy|ruff)", t.string) for t in tokens)


def _lines(file: Path) -> int:
    return len(file.read_text(encoding="utf-8").split("\n")) - 1


def _functions(tree: ast.Module) -> list[tuple[ast.ClassDef | None, Function]]:
    """Return (class or None, function) of every function of a module and method of its classes."""
    found: list[tuple[ast.ClassDef | None, Function]] = []
    for node in tree.body:
        if isinstance(node, Function):
            found.append((None, node))
        elif isinstance(node, ast.ClassDef):
            found.extend((node, part) for part in node.body if isinstance(part, Function))
    return found


def _names(tree: ast.AST) -> list[str]:
    """Return every name that is used: variables, attributes, and names that are imported."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            found.append(node.id)
        elif isinstance(node, ast.Attribute):
            found.append(node.attr)
        elif isinstance(node, ast.ImportFrom):
            found.extend(alias.name for alias in node.names)
    return found


def _methods(trees: dict[Path, ast.Module]) -> dict[str, tuple[list[str], dict[str, bool]]]:
    """Return {class: (names of its bases, {method: whether it has a docstring})} of the package."""
    found = {}
    for tree in trees.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                names = [_base(base) for base in node.bases]
                methods = {part.name: bool(ast.get_docstring(part)) for part in node.body if isinstance(part, Function)}
                found[node.name] = (names, methods)
    return found


def _is_property(function: Function) -> bool:
    return any("property" in ast.unparse(decorator) for decorator in function.decorator_list)


def _base(node: ast.expr) -> str:
    node = node.value if isinstance(node, ast.Subscript) else node
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _overrides(
    owner: ast.ClassDef,
    name: str,
    bases: dict[str, tuple[list[str], dict[str, bool]]],
    *,
    documented: bool = False,
) -> bool:
    """Return whether a method overrides one of a base class, which has a docstring if that is asked for."""
    waiting, seen = [_base(base) for base in owner.bases], set()
    while waiting:
        base = waiting.pop()
        if base in seen:
            continue
        seen.add(base)
        if base not in bases:
            if name in OF_TORCH and base in {"Module", "Function"}:
                return True
            continue
        above, methods = bases[base]
        if name in methods and (methods[name] or not documented):
            return True
        waiting.extend(above)
    return False


def main() -> None:
    """Print a table: a row per count, a column per checkout."""
    arguments = sys.argv[1:]
    lists = {"--helpers", "--undocumented"} & set(arguments)
    projects = [Path(a) for a in arguments if not a.startswith("--")] or [Path(__file__).parent.parent.parent]
    if lists:
        trees = {f: ast.parse(f.read_text(encoding="utf-8")) for f in sorted((projects[0] / "nmt").rglob("*.py"))}
        for file, name, length in single_use(trees) if "--helpers" in lists else ():
            print(f"{file}: {name} ({f'{length} lines' if length else 'a value'})")
        for place, node in public_names(trees) if "--undocumented" in lists else ():
            if not ast.get_docstring(node):  # type: ignore[arg-type]
                print(place)
        return
    columns = [count(project) for project in projects]
    for what in columns[0]:
        print(f"| {what} | " + " | ".join(f"{column[what]:,g}" for column in columns) + " |")


if __name__ == "__main__":
    main()
