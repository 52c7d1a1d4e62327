"""Real clients of LibreTranslate and DeepL, unchanged, against `nmt serve`. Those of other package managers, and
those with packages that nmt does not need, are installed by `make test-clients`; their tests are skipped elsewhere."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="needs the extra `serve`")
httpx = pytest.importorskip("httpx", reason="needs httpx")

from conftest import PROJECT  # noqa: E402
from test_serve import LINES, Server, expected, quick_run  # noqa: E402, F401

from nmt.serve.app import make_app  # noqa: E402
from nmt.serve.limits import Access  # noqa: E402
from nmt.serve.models import Models  # noqa: E402

CLIENTS = PROJECT / "build" / "clients"
PYTHON = CLIENTS / "venv" / "bin" / "python"
NODE = CLIENTS / "node_modules"
PO = """\
msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\\n"
"Language: fr\\n"

#: main.c:1
msgid "I love you."
msgstr ""

#: main.c:2
msgid "the cat"
msgstr "le chat noir"

msgid ""
"We see the house.\\n"
"She reads."
msgstr ""
"""


@pytest.fixture(scope="module")
def server(quick_run: Path) -> Iterator[Server]:  # noqa: F811
    found = Server(make_app(Models([quick_run], threads=1)))
    yield found
    found.stop()


def missing(*needed: Path) -> bool:
    return not all(each.exists() for each in needed)


def run(*command: object, folder: Path | None = None) -> str:
    found = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=120, check=False, cwd=folder)
    assert found.returncode == 0, found.stderr
    return found.stdout


def test_libretranslate_aio(server: Server, expected: dict[str, str], tmp_path: Path) -> None:  # noqa: F811
    library = pytest.importorskip("libretranslate_aio", reason="needs libretranslate-aio")
    (tmp_path / "a.po").write_text(PO, encoding="utf-8")
    with library.LibreTranslate(server.url, timeout=120) as client:
        assert client.translate(LINES[0], "en", "fr").translated_text == expected[LINES[0]]
        many = client.translate(LINES[:2], "auto", "fr", alternatives=1)
        assert many.translated_text == [expected[line] for line in LINES[:2]]
        assert [len(each) for each in many.alternatives] == [1, 1] and len(many.detected_language) == 2
        assert [each.name for each in client.languages()] == ["English", "French"]
        assert client.health() and ".po" in client.frontend_settings().supported_files_format
        with pytest.raises(library.ForbiddenError, match="Suggestions are disabled"):
            client.suggest("a", "b", "en", "fr")
        with pytest.raises(library.BadRequestError, match="is not supported"):
            client.translate("a", "en", "ko")
        made = client.translate_file(tmp_path / "a.po", "en", "fr").translated_file_url
    assert f'msgstr "{expected[LINES[0]]}"' in httpx.get(made, timeout=None).text
    assert made.endswith(".fr.po")


def test_libretranslate_aio_with_a_key(quick_run: Path, tmp_path: Path) -> None:  # noqa: F811
    """The address of a translated file is a secret of its own: clients fetch it without a key."""
    library = pytest.importorskip("libretranslate_aio", reason="needs libretranslate-aio")
    (tmp_path / "a.txt").write_text("the cat\n", encoding="utf-8")
    server = Server(make_app(Models([quick_run], threads=1), access=Access(keys=("secret",))))
    try:
        with library.LibreTranslate(server.url, api_key="secret", timeout=120) as client:
            made = client.translate_file(tmp_path / "a.txt", "en", "fr").translated_file_url
        assert httpx.get(made, timeout=None).status_code == 200
        with library.LibreTranslate(server.url, api_key="wrong") as client, pytest.raises(library.ForbiddenError):
            client.translate_file(tmp_path / "a.txt", "en", "fr")
    finally:
        server.stop()


@pytest.mark.slow
@pytest.mark.skipif(missing(CLIENTS / "venv" / "bin" / "transpolibre"), reason="needs transpolibre: make test-clients")
def test_transpolibre_translates_a_whole_po_file(server: Server, expected: dict[str, str], tmp_path: Path) -> None:  # noqa: F811
    file = tmp_path / "a.po"
    file.write_text(PO, encoding="utf-8")
    run(CLIENTS / "venv" / "bin" / "transpolibre", "-s", "en", "-t", "fr", "-u", server.url, "-f", file)
    text = file.read_text(encoding="utf-8")
    read = "import json, sys, polib; print(json.dumps({each.msgid: each.msgstr for each in polib.pofile(sys.argv[1])}))"
    assert json.loads(run(PYTHON, "-c", read, file)) == {
        LINES[0]: expected[LINES[0]],
        "the cat": "le chat noir",
        f"{LINES[1]}\n{LINES[4]}": f"{expected[LINES[1]]}\n{expected[LINES[4]]}",
    }, text


@pytest.mark.slow
@pytest.mark.skipif(
    not shutil.which("node") or missing(NODE / "deepl-node", NODE / "translate"),
    reason="needs Node.js with translate and deepl-node: make test-clients",
)
def test_clients_from_npm(server: Server, expected: dict[str, str]) -> None:  # noqa: F811
    found = json.loads(run("node", PROJECT / "tests" / "clients" / "npm.mjs", server.url, CLIENTS.resolve()))
    html, xml = found.pop("html"), found.pop("xml")
    assert found == {
        "translate": expected[LINES[0]],
        "byName": expected[LINES[0]],
        "unknown": "en to ko is not supported; GET /languages has what is",
        "many": [expected[LINES[0]], expected["the cat"]],
        "detected": "en",
        "sources": [["en", "English"]],
        "targets": [["fr", "French"]],
        "glossaries": [],
        "used": False,
        "formality": "Bad request, message: formality: is not supported by this server; "
        "prefer_more and prefer_less are ignored",
    }
    assert html.startswith("<p>") and html.endswith("</p>") and html.count("<b>") == html.count("</b>") == 1
    assert xml.count("<x>a &lt; b</x>") == 1


@pytest.mark.slow
@pytest.mark.skipif(
    missing(PYTHON) or not list(CLIENTS.glob("venv/lib/*/site-packages/weblate")),
    reason="needs Weblate's classes: make test-clients",
)
def test_the_machinery_of_weblate(server: Server, expected: dict[str, str]) -> None:  # noqa: F811
    found = json.loads(run(PYTHON, PROJECT / "tests" / "clients" / "weblate_machinery.py", server.url))
    for texts in found.values():
        assert texts[0] == expected[LINES[0]]
        assert len(texts) == 3
    assert found["DeepL"][1].count("%d") == 1  # which is an element without text on its way
