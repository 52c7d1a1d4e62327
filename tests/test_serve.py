"""`nmt serve`: real clients, limits, who may ask, and that no answer is lost or swapped."""

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
import yaml
from reliability.job import call

import nmt
from nmt import calibration_cache
from nmt.calibration import Calibration
from nmt.cli.serve import listen
from nmt.data.documents.sgm import open_sgm
from nmt.data.documents.subtitles import open_subtitles
from nmt.errors import ConfigError, DataError
from nmt.inference.request import TranslateOptions
from nmt.kernels import Thresholds
from nmt.runs import store
from nmt.runs.weights import named_weights, pack_weights

pytest.importorskip("fastapi", reason="needs the extra `serve`")
uvicorn = pytest.importorskip("uvicorn", reason="needs the extra `serve`")
httpx = pytest.importorskip("httpx", reason="needs httpx")

from fastapi import FastAPI  # noqa: E402

from nmt.serve.access_log import AccessLog  # noqa: E402
from nmt.serve.app import STATIC, make_app  # noqa: E402
from nmt.serve.html_text import Segment, filled, segments_of  # noqa: E402
from nmt.serve.limits import Access, Limits  # noqa: E402
from nmt.serve.models import Models  # noqa: E402

LINES = ["I love you.", "We see the house.", "the cat", "a red car", "She reads.", "two dogs"]


class Server:
    """An application behind a real port, in a thread."""

    def __init__(self, app: FastAPI) -> None:
        self.server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
        self.thread = threading.Thread(target=self.server.run)
        self.thread.start()
        while not self.server.started:
            time.sleep(0.01)
        self.url = f"http://127.0.0.1:{self.server.servers[0].sockets[0].getsockname()[1]}"

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(30)


@pytest.fixture(scope="module")
def quick_run(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose translations are short, since the tests are about the server."""
    folder = tmp_path_factory.mktemp("served") / "tiny"
    shutil.copytree(tiny_run, folder)
    settings = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    settings["decoding"] |= {"beam_size": 2, "max_length": 6}
    (folder / "config.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    found = store.load_run(folder, torch.device("cpu"))
    for step in (16, 32):
        weights = {name: weight.half() for name, weight in named_weights(found.model).items()}
        (folder / store.SNAPSHOTS).mkdir(exist_ok=True)
        content = pack_weights(weights, found.settings, found.subwords)
        (folder / store.SNAPSHOTS / store.snapshot_name(step)).write_bytes(content)
    return folder


@pytest.fixture(scope="module")
def server(quick_run: Path) -> Iterator[Server]:
    torch.set_num_threads(1)
    found = Server(make_app(Models([quick_run], threads=1)))
    yield found
    found.stop()


@pytest.fixture(scope="module")
def expected(quick_run: Path) -> dict[str, str]:
    return {each.source: each.text for each in nmt.load(quick_run, threads=1).translate(LINES)}


def ask(app: FastAPI, path: str, **how: object) -> "httpx.Response":
    import anyio

    async def request() -> "httpx.Response":
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=None) as client:
            return await client.request("GET" if path.startswith(("/v1/runs", "/download")) else "POST", path, **how)

    return anyio.run(request)


# Real clients --------------------------------------------------------------------------------------------------------


def test_libretranslatepy(server: Server, expected: dict[str, str]) -> None:
    client = pytest.importorskip("libretranslatepy").LibreTranslateAPI(f"{server.url}/")
    assert client.translate(LINES[0], "en", "fr") == expected[LINES[0]]
    assert client.languages() == [
        {"code": "en", "name": "English", "targets": ["fr"]}, {"code": "fr", "name": "French", "targets": []},
    ]  # fmt: skip
    assert client.detect("We see the house and the garden.")[0]["language"] == "en"


def test_deep_translator(server: Server, expected: dict[str, str]) -> None:
    translators = pytest.importorskip("deep_translator")
    client = translators.LibreTranslator(source="en", target="fr", custom_url=f"{server.url}/", api_key="any")
    assert client.translate(LINES[1]) == expected[LINES[1]]


def test_deepl(server: Server, expected: dict[str, str]) -> None:
    client = pytest.importorskip("deepl").DeepLClient("any", server_url=server.url)
    found = client.translate_text(LINES[:2], source_lang="EN", target_lang="FR")
    tagged = client.translate_text("<p>the <b>cat</b></p>", target_lang="FR", tag_handling="html")
    kept = client.translate_text("see <x>a &lt; b</x> now", target_lang="FR", tag_handling="xml", ignore_tags=["x"])
    assert [each.code for each in client.get_source_languages()] == ["EN"]
    assert [each.code for each in client.get_target_languages()] == ["FR"]
    assert client.get_glossary_languages() == client.list_glossaries() == []
    client.close()
    assert tagged.text.startswith("<p>") and tagged.text.count("<b>") == 1
    assert kept.text.count("<x>a &lt; b</x>") == 1
    assert [each.text for each in found] == [expected[line] for line in LINES[:2]]
    assert found[0].detected_source_lang == "EN"


# The APIs ------------------------------------------------------------------------------------------------------------


def test_libretranslate_takes_json_form_and_query(server: Server, expected: dict[str, str]) -> None:
    values = {"q": LINES[2], "source": "en", "target": "fr"}
    for how in (
        {"json": values},
        {"data": values},
        {"params": values},
        {"files": {k: (None, v) for k, v in values.items()}},
    ):
        answer = httpx.post(f"{server.url}/translate", timeout=None, **how)
        assert answer.json() == {"translatedText": expected[LINES[2]]}, how
    many = httpx.post(
        f"{server.url}/translate", json={**values, "q": LINES[:2], "source": "auto", "alternatives": 1}, timeout=None
    ).json()  # more alternatives would widen the beam of the run
    assert many["translatedText"] == [expected[line] for line in LINES[:2]]
    assert [len(each) for each in many["alternatives"]] == [1, 1]
    assert {"language", "confidence"} == set(many["detectedLanguage"][0])


@pytest.mark.parametrize(
    ("path", "values", "code", "message"),
    [
        ("/translate", {"source": "en", "target": "fr"}, 400, "missing q parameter"),
        ("/translate", {"q": "a", "source": "en", "target": "ko"}, 400, "is not supported"),
        ("/translate", {"q": "a", "source": "en", "target": "fr", "alternatives": 10_000}, 422, "--max-alternatives"),
        ("/translate", {"q": "a" * 30, "source": "en", "target": "fr"}, 413, "--max-chars"),
        ("/translate", {"q": ["a"] * 6, "source": "en", "target": "fr"}, 413, "--max-texts"),
        ("/translate", {"q": {"a": 1}, "source": "en", "target": "fr"}, 400, "a text, or a list"),
        ("/translate", {"q": "a", "source": "en", "target": "fr", "format": ["html"]}, 400, "format: must be text"),
        ("/translate", {"q": "a", "source": "en", "target": "fr", "format": {}}, 400, "format: must be text"),
        ("/v2/translate", {"text": ["a"], "target_lang": "FR", "tag_handling": ["xml"]}, 400, "must be html or xml"),
        ("/v1/translate", {"text": ["a"], "decoding": {"beam_size": 99}}, 422, "--max-beam"),
        ("/v1/translate", {"text": ["a"], "decoding": {"batch_size": 9}}, 422, "decoding.batch_size: must be one of"),
        ("/v1/translate", {"text": ["a"], "decoding": {"max_length": 5000}}, 422, "--max-length 1,000"),
        ("/v1/translate", {"text": ["a"], "decoding": {"min_length": 5000}}, 422, "decoding.min_length: is more"),
        ("/v1/translate", {"text": ["a"], "decoding": {"max_ratio": 900}}, 422, "(10 for max_ratio)"),
        ("/v1/translate", {"text": ["a"], "prefix": ["b" * 25]}, 413, "--max-chars"),
        ("/v1/translate", {"text": ["a"], "top_k": 9}, 422, "top_k: needs sample or mbr"),
        ("/v1/translate", {"text": ["a"], "run": "../../etc"}, 404, "is not served here"),
        ("/v1/translate", {"text": ["a"], "n_bestt": 3}, 422, "n_bestt"),
        ("/v1/translate", {"text": ["a"], "prefix": []}, 422, "prefix: give one for each text"),
        ("/v2/translate", {"text": ["a"]}, 400, "target_lang"),
    ],
)  # fmt: skip
def test_what_is_refused(quick_run: Path, path: str, values: dict, code: int, message: str) -> None:
    app = make_app(Models([quick_run]), Limits(max_chars=20, max_texts=5))
    answer = ask(app, path, json=values)
    assert (answer.status_code, message in answer.json()["error"]) == (code, True), answer.text


def test_bodies_that_are_none(quick_run: Path) -> None:
    app = make_app(Models([quick_run]), Limits(max_body=1000))
    answer = ask(app, "/translate", content=b'{"q": "a", "source": "en", "target": "fr", "alternatives": 1e400}')
    assert (answer.status_code, answer.json()["error"]) == (400, "alternatives: must be a whole number")
    answer = ask(app, "/v2/translate", json={"text": ["a"], "target_lang": "FR", "formality": ["more"]})
    assert answer.status_code == 200
    for body in (b"{", b"\xff\xfe", b"[" * 900, b"[1]"):
        answer = ask(app, "/translate", content=body, headers={"Content-Type": "application/json"})
        assert (answer.status_code, "JSON" in answer.json()["error"]) == (400, True)
    answer = ask(app, "/translate", content=b"x" * 1001)
    assert (answer.status_code, "--max-body" in answer.json()["error"]) == (413, True)


def test_who_may_ask(quick_run: Path) -> None:
    app = make_app(Models([quick_run]), access=Access(keys=("secret",), cors=("https://ok.example",)))
    values = {"q": "a cat", "source": "en", "target": "fr"}
    assert ask(app, "/translate", json=values, headers={"Host": "evil.example"}).status_code == 400
    assert ask(app, "/translate", json=values).json()["error"] == "Invalid API key"
    assert ask(app, "/translate", json={**values, "api_key": "secret"}).status_code == 200
    good = ask(app, "/v1/runs", headers={"Authorization": "DeepL-Auth-Key secret", "Origin": "https://ok.example"})
    assert good.headers["access-control-allow-origin"] == "https://ok.example"
    bad = ask(app, "/v1/runs", headers={"Authorization": "Bearer secret", "Origin": "https://other.example"})
    assert "access-control-allow-origin" not in bad.headers
    assert "default-src 'self'" in bad.headers["content-security-policy"]


def test_our_own_api(server: Server) -> None:
    asked = {"text": ["a 👍🏽 cat", "one\n\ntwo"], "prefix": ["le", ""], "alternatives": 2, "trace": True}
    answer = httpx.post(f"{server.url}/v1/translate", json=asked, timeout=None).json()
    first, second = answer["translations"]
    assert first[0]["text"].startswith("le")
    assert [line["source"] for line in second] == ["one", "", "two"]
    assert first[0]["details"]["trace"] and len(first[0]["details"]["target"][0]["alternatives"]) <= 2
    assert httpx.get(f"{server.url}/v1/runs", timeout=None).json()[0]["source"] == "en"
    assert httpx.get(f"{server.url}/health", timeout=None).json()["status"] == "ok"
    assert "nmt_requests_total" in httpx.get(f"{server.url}/metrics", timeout=None).text


def test_a_long_text_comes_line_by_line(server: Server) -> None:
    text = "\n".join(LINES[index % len(LINES)] for index in range(70))
    with httpx.stream("POST", f"{server.url}/v1/stream", json={"text": [text]}, timeout=None) as answer:
        rows = [json.loads(row) for row in answer.iter_lines()]
    assert [row["line"] for row in rows[:-1]] == list(range(1, 71))
    assert [row["source"] for row in rows[:-1]] == text.split("\n")
    assert rows[-1]["done"] == 70
    refused = httpx.post(f"{server.url}/v1/stream", json={"text": ["a", "b"]}, timeout=None)
    assert (refused.status_code, "give one text" in refused.json()["error"]) == (422, True)


def test_a_client_that_leaves_a_stream_harms_nobody(server: Server, expected: dict[str, str]) -> None:
    text = "\n".join(LINES * 60)
    with httpx.stream("POST", f"{server.url}/v1/stream", json={"text": [text]}, timeout=None) as answer:
        next(answer.iter_lines())
    values = {"q": LINES[0], "source": "en", "target": "fr"}
    answer = httpx.post(f"{server.url}/translate", json=values, timeout=None)
    assert answer.json()["translatedText"] == expected[LINES[0]]


def test_how_a_sentence_was_learnt(server: Server) -> None:
    answer = httpx.post(f"{server.url}/v1/learning", json={"text": LINES[0]}, timeout=None).json()
    assert [each["step"] for each in answer["steps"]] == [16, 32, None]
    assert all(each["translation"]["attention"] for each in answer["steps"])
    refused = httpx.post(f"{server.url}/v1/learning", json={"text": "a\nb"}, timeout=None)
    assert (refused.status_code, refused.json()["error"]) == (422, "text: give one line")


def test_heads_and_pieces(server: Server) -> None:
    asked = {"text": [LINES[1]], "heads": True, "pieces": True}
    [[line]] = httpx.post(f"{server.url}/v1/translate", json=asked, timeout=None).json()["translations"]
    assert len(line["heads"]) == 4
    for target, row in enumerate(line["attention"]):
        means = [sum(head[target][source] for head in line["heads"]) / 4 for source in range(len(row))]
        assert means == pytest.approx(row, abs=1e-3)
    assert len(line["pieces"]["attention"]) == len(line["pieces"]["target"])


def test_html_keeps_its_tags(server: Server) -> None:
    text = '<p class="a">I see the <b>red</b> <i>car<br>now</i> &amp; then.</p><script>if (a<b) {}</script><!-- no -->'
    values = {"q": text, "source": "en", "target": "fr", "format": "html"}
    found = httpx.post(f"{server.url}/translate", json=values, timeout=None).json()["translatedText"]
    assert found.startswith('<p class="a">') and found.endswith("</p><script>if (a<b) {}</script><!-- no -->")
    for tag in ("<b>", "</b>", "<i>", "</i>", "<br>"):
        assert found.count(tag) == 1


@pytest.mark.parametrize(
    ("source", "links", "expected"),
    [
        ("the <b>red</b> car", [(0, 0), (1, 2), (2, 1)], "la voiture <b>rouge</b>"),
        ("<a><b>the</b> red</a> car", [(0, 0), (1, 2), (2, 1)], "<a><b>la</b> voiture rouge</a>"),
        ("the <img> red car", [(0, 0), (1, 2), (2, 1)], "la <img> voiture rouge"),
        ("the<img> red car", [(0, 0), (1, 2), (2, 1)], "la <img> voiture rouge"),
        ("the <img>red car", [(0, 0), (1, 2), (2, 1)], "la <img>voiture rouge"),
        ("<b>the red <img></b> car", [(0, 0), (1, 1)], "<b>la voiture <img></b> rouge"),
        ("the red car <img>", [], "la voiture rouge <img>"),
        ("<img> the red car", [(0, 0)], "<img> la voiture rouge"),
        ("the red car<i></i>", [(0, 0)], "la voiture rouge<i></i>"),
        ("the <b>red</b> car", [], "la voiture rouge<b></b>"),
        ("the </b>red car", [(1, 2)], "la voiture </b>rouge"),
        (" the red &lt;car ", [(0, 0)], " la voiture rouge "),
    ],
)
def test_tags_move_with_their_words(source: str, links: list, expected: str) -> None:
    [segment] = segments_of(source)
    assert isinstance(segment, Segment)
    assert filled(segment, "la voiture rouge", links) == expected


def sent(server: Server, name: str, content: str | bytes, **values: object) -> "httpx.Response":
    files = {"file": (name, content.encode() if isinstance(content, str) else content)}
    data = {"source": "en", "target": "fr", **values}
    return httpx.post(f"{server.url}/translate_file", files=files, data=data, timeout=None)


def test_a_whole_file(server: Server, expected: dict[str, str]) -> None:
    text = f"{LINES[0]}\r\n\r\n{LINES[1]}\n"
    answer = sent(server, "../../x.txt", text)
    found = httpx.get(answer.json()["translatedFileUrl"], timeout=None)
    assert found.text == f"{expected[LINES[0]]}\n\n{expected[LINES[1]]}\n"
    assert httpx.get(f"{server.url}/download_file/none", timeout=None).status_code == 404


XLIFF = """<?xml version="1.0"?>
<xliff version="1.2"><file source-language="en" original="a" datatype="plaintext"><body>
<trans-unit id="1"><source>{0}</source></trans-unit></body></file></xliff>
"""
TMX = """<?xml version="1.0"?>
<tmx version="1.4"><header/><body><tu><tuv xml:lang="en"><seg>{0}</seg></tuv></tu></body></tmx>
"""


@pytest.mark.parametrize(
    ("name", "text", "part"),
    [
        ("a.po", 'msgid "{0}"\nmsgstr ""\n', '#, fuzzy\nmsgid "{0}"\nmsgstr "{1}"\n'),
        ("a.SRT", "1\n00:00:01,000 --> 00:00:02,000\n<i>{0}</i>\n", "2,000\n<i>{1}</i>\n"),
        ("a.vtt", "WEBVTT\n\n00:01.000 --> 00:02.000\n{0}\n", "00:02.000\n{1}\n"),
        ("a.xlf", XLIFF, '<target state="needs-review-translation">{1}</target>'),
        ("a.tmx", TMX, '<tuv xml:lang="fr" creationtool="nmt"><seg>{1}</seg></tuv>'),
        ("a.tsv", "id\ten\tfr\n7\t{0}\t\n", "7\t{0}\t{1}\n"),
        ("a.csv", 'en,fr\n"{0}",\n', '"{0}",'),
        ("a.jsonl", '{{"en": "{0}", "n": 1}}\n', '{{"en": "{0}", "n": 1, "fr": "{1}"}}\n'),
        ("a.json", '[{{"en": "{0}", "x": "\\ud800"}}]', '[{{"en": "{0}", "x": "\\ud800", "fr": "{1}"}}]'),
        ("a.sgm", "<srcset><seg id=1>{0}</seg></srcset>", "<seg id=1>{1}</seg>"),
        ("a.htm", "<p>{0}</p>", "<p>{1}</p>"),
    ],
)  # fmt: skip
def test_files_of_every_format(server: Server, expected: dict[str, str], name: str, text: str, part: str) -> None:
    line = LINES[4]
    settings = httpx.get(f"{server.url}/frontend/settings", timeout=None).json()
    assert Path(name).suffix.lower() in settings["supportedFilesFormat"]
    answer = sent(server, name, text.format(line))
    assert answer.status_code == 200, answer.text
    url = answer.json()["translatedFileUrl"]
    assert url.endswith(f".fr{Path(name).suffix.lower()}")
    translation = expected[line].replace('"', "'")
    if "\\ud800" in text:  # half a character cannot be written in UTF-8: then all of the file is escaped
        translation = json.dumps(translation)[1:-1]
    assert part.format(line, translation) in httpx.get(url, timeout=None).text.replace('\\"', "'")


@pytest.mark.parametrize(
    ("name", "content", "values", "message"),
    [
        ("x.pdf", b"", {}, "are supported"),
        ("x.po", b"%PDF-1.7\0\1\2\3", {}, "a PDF document, not text"),
        ("x.txt", b"\xff", {}, "is not text in UTF-8"),
        ("x.po", 'msgid "a', {}, "file.po:1: "),
        ("x.xlf", "<xliff>", {}, "file.xlf:1: "),
        ("x.tmx", '<!DOCTYPE a [<!ENTITY b "c">]><tmx>&b;</tmx>', {}, "file.tmx:1: "),
        ("x.jsonl", "[" * 5000, {}, "nested too deeply"),
        ("x.jsonl", '{"a": "b", "c": "d"}', {"field": ["a", "c.x"], "overwrite": "1"}, "c.x is not a text"),
        ("x.csv", b"a\n", {"encoding": "punycode"}, "encoding: must be auto, or an encoding"),
        ("x.csv", b"a\n", {"encoding": "idna"}, "encoding: must be auto, or an encoding"),
        ("x.csv", b"+2AA-\n", {"encoding": "utf-7"}, "encoding: must be auto, or an encoding"),
        ("x.tsv", "a\tb\nc\td\n", {}, "form field: column=1"),
        ("x.tsv", "a\tb\n", {"column": "1", "encoding": "base64"}, "encoding: must be auto, or an encoding"),
        ("x.tsv", "a\tb\n", {"column": ["1", "2", "3"]}, "3 columns are given"),
        ("x.po", "", {"format": "docx"}, "format: must be one of text, html, po"),
    ],
)
def test_files_that_are_refused(server: Server, name: str, content: str | bytes, values: dict, message: str) -> None:
    answer = sent(server, name, content, **values)
    assert (answer.status_code, message in answer.json()["error"]) == (400, True), answer.text


def test_columns_of_a_file_and_notes_about_it(server: Server, expected: dict[str, str]) -> None:
    answer = sent(server, "x.tsv", f"7\t{LINES[4]}\n", column="2").json()
    assert httpx.get(answer["translatedFileUrl"], timeout=None).text == f"7\t{LINES[4]}\t{expected[LINES[4]]}\n"
    assert answer["notes"] == ["1 text translated; review them"]
    done = 'msgid "a"\nmsgstr "b"\n'
    answer = sent(server, "x.po", done).json()
    assert httpx.get(answer["translatedFileUrl"], timeout=None).text == done
    assert "nothing is changed; overwrite=1" in answer["notes"][0]
    assert "1 text translated" in sent(server, "x.po", done, overwrite="1").json()["notes"][0]


def test_files_keep_to_the_limits(quick_run: Path) -> None:
    app = make_app(Models([quick_run]), Limits(max_chars=20, max_texts=2))
    for text, message in (('msgid "%s"\nmsgstr ""\n' % ("a" * 30), "--max-chars"), ("a\nb\nc\n", "--max-texts")):
        name = "a.po" if "msgid" in text else "a.txt"
        answer = ask(
            app, "/translate_file", files={"file": (name, text.encode())}, data={"source": "en", "target": "fr"}
        )
        assert (answer.status_code, message in answer.json()["error"]) == (413, True)


def test_hostile_files_take_no_longer_than_their_size_says() -> None:
    def seconds(size: int) -> float:
        started = time.process_time()
        open_sgm(Path("a.sgm"), f"{'<seg ' * size}<seg>a</seg>", ("en", "fr"), (), False)
        open_subtitles(Path("a.srt"), f"1 --> 2\na{' ' * size}b{'<' * size}\n", ("en", "fr"), (), False)
        return time.process_time() - started

    assert seconds(32_000) < 200 * max(seconds(1000), 0.001)  # 32 times as long, and not 1000 times


def test_the_access_log_has_no_text(quick_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    app = make_app(Models([quick_run]), log=AccessLog(tmp_path / "log"), title="LibreTranslate")
    ask(app, "/translate", json={"q": "secret", "source": "en", "target": "xx"})
    [line] = (tmp_path / "log").read_text().splitlines()
    found = json.loads(line)
    assert (found["path"], found["status"], "secret" in line) == ("/translate", 400, False)
    if Path("/dev/full").exists():
        full = make_app(Models([quick_run]), log=AccessLog(Path("/dev/full")))
        for _ in range(2):
            assert ask(full, "/translate", json={"q": "a", "source": "en", "target": "xx"}).status_code == 400
        assert capsys.readouterr().err.count("cannot write") == 1
    with pytest.raises(ConfigError, match="--access-log"):
        AccessLog(tmp_path / "none" / "log")


def test_no_answer_is_lost_or_swapped(server: Server, expected: dict[str, str]) -> None:
    def one(number: int) -> bool:
        lines = [LINES[(number + place) % len(LINES)] for place in range(1 + number % 3)]
        answer = httpx.post(f"{server.url}/translate", json={"q": lines, "source": "en", "target": "fr"}, timeout=None)
        return bool(answer.json()["translatedText"] == [expected[line] for line in lines])

    with ThreadPoolExecutor(12) as clients:
        assert all(clients.map(one, range(96)))


# Runs ----------------------------------------------------------------------------------------------------------------


def test_a_better_model_is_loaded_and_a_damaged_one_is_not(quick_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(quick_run, run)
    models = Models([run])
    served, before = models.first, models.first.translator
    assert not served.refresh()
    weights = (run / "model.safetensors").read_bytes()
    (run / "new").write_bytes(weights[:-1])
    (run / "new").replace(run / "model.safetensors")
    assert not served.refresh() and served.translator is before and "model.safetensors" in served.problem
    (run / "new").write_bytes(weights)
    (run / "new").replace(run / "model.safetensors")
    assert served.refresh() and served.translator is not before and not served.problem


def damage(run: Path, how: str) -> None:
    """Break the folder of a run as a copy that stopped, a wrong edit, a removal or a move does."""
    if how == "weights":
        (run / "new").write_bytes((run / "model.safetensors").read_bytes()[:1000])
        (run / "new").replace(run / "model.safetensors")
    elif how == "settings":
        (run / "config.yaml").write_text("model: {hidden: many}\n", encoding="utf-8")
    elif how == "no weights":
        (run / "model.safetensors").unlink()
    else:
        run.rename(run.with_name("moved"))


def until(happened: Callable[[], object]) -> None:
    for _ in range(1000):
        if happened():
            return
        time.sleep(0.02)
    pytest.fail("it does not happen")


@pytest.mark.parametrize("how", ["weights", "settings", "no weights", "moved"])
def test_a_run_that_breaks_while_it_is_served(quick_run: Path, tmp_path: Path, how: str) -> None:
    """The old model answers, and the API tells why there is no newer one, until the run is whole again."""
    run = tmp_path / "run"
    shutil.copytree(quick_run, run)
    models = Models([run])
    served, before = models.first, models.first.translator
    app = make_app(models)
    models.watch(0.01)
    try:
        damage(run, how)
        until(lambda: served.problem)
        assert served.translator is before and served.reloads == 0
        [told] = ask(app, "/v1/runs").json()
        assert told["problem"] == served.problem and told["problem"].startswith(str(run))
        answer = ask(app, "/v1/translate", json={"text": ["the cat"]})
        assert answer.status_code == 200 and answer.json()["translations"]
        shutil.copytree(quick_run, run, dirs_exist_ok=True)  # the remedy
        until(lambda: served.reloads)
        assert served.problem == "" and served.translator is not before
    finally:
        models.close()


def test_runs_of_one_name(quick_run: Path) -> None:
    with pytest.raises(DataError, match="has the same name as"):
        Models([quick_run, quick_run])


def test_the_page_needs_nothing_from_elsewhere() -> None:
    for path in STATIC.iterdir():
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in text and "https:" not in text and "//cdn" not in text, path


def test_options_have_one_description() -> None:
    """What the page may ask is what Python may ask."""
    from nmt.serve.own import SAFE, Asked

    fields = set(Asked.model_fields) - {"text", "run", "prefix", "decoding", "sample", "pieces"}
    TranslateOptions.of(details=True, sample=True, **dict.fromkeys(fields))
    assert set(SAFE) <= set(json.loads(nmt.config.DecodingSettings().model_dump_json()))


@pytest.mark.parametrize("name", ["train.log", "access.log", "new/access.log", "checkpoints/log", "../link"])
@pytest.mark.parametrize("named", [True, False])
def test_an_access_log_is_never_inside_a_served_run(
    quick_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, named: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    run = Path("runs/tiny")
    shutil.copytree(quick_run, run)
    Path("runs/link").symlink_to("tiny/metrics.jsonl")
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    found = call("serve", *([run] if named else []), "--port", 0, "--access-log", run / name)
    assert (found.status, found.output, found.errors.count("\n")) == (2, "", 1)
    assert found.errors.startswith(f"error: --access-log {run / name}: is ")
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("host", ["::1", "[::1]", "0:0:0:0:0:0:0:1"])
def test_an_ipv6_host_is_in_brackets(quick_run: Path, monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("needs IPv6")
    served: list[tuple[FastAPI, int]] = []

    def run(self: "uvicorn.Server", sockets: list[socket.socket]) -> None:
        served.append((self.config.app, sockets[0].getsockname()[1]))

    monkeypatch.setattr(uvicorn.Server, "run", run)
    monkeypatch.delenv("GOMP_SPINCOUNT")
    found = call("serve", quick_run, "--host", host, "--port", 0)
    assert os.environ["GOMP_SPINCOUNT"] == "20000"
    [(app, port)] = served
    assert (found.status, found.errors) == (0, "")
    assert found.output.endswith(f"\nopen http://[::1]:{port}/ (end with Ctrl-C)\n")
    assert ask(app, "/v1/runs", headers={"Host": f"[::1]:{port}"}).status_code == 200
    assert ask(app, "/v1/runs", headers={"Host": f"[::2]:{port}"}).status_code == 400


def test_the_first_start_measures_the_machine(quick_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[int] = []

    def calibrate(threads: int) -> Calibration:
        measured.append(threads)
        return Calibration(Thresholds(7, 8))

    monkeypatch.setattr(calibration_cache, "calibrate", calibrate)
    monkeypatch.setattr(uvicorn.Server, "run", lambda self, sockets: None)
    monkeypatch.setenv("NMT_CACHE", str(tmp_path))
    monkeypatch.delenv("NMT_CALIBRATION")
    for _ in range(2):
        assert call("serve", quick_run, "--port", 0, "--device", "cpu", "--threads", 1).status == 0
    assert measured == [1]
    assert Models([quick_run], "cpu", 1).first.translator.speed == {1: Thresholds(7, 8)}


@pytest.mark.parametrize("fault", ["port", "run", "model", "host"])
def test_what_stops_the_server_is_one_line(quick_run: Path, tmp_path: Path, fault: str) -> None:
    run, options, message = quick_run, ["--port", "0"], ""
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    if fault == "port":
        options = ["--port", str(taken.getsockname()[1])]
        message = f"--port {options[1]}: another program uses it; give another, or 0 for any free one"
    elif fault == "host":
        options, message = ["--host", "no.such.host.invalid"], "--host no.such.host.invalid: cannot listen there"
    elif fault == "run":
        run, message = tmp_path / "none", "not a run directory: no such folder"
    else:
        run, message = tmp_path / "run", "the run has no validated model yet"
        shutil.copytree(quick_run, run)
        (run / "model.safetensors").unlink()
    command = [sys.executable, "-m", "nmt", "serve", str(run), *options]
    found = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    taken.close()
    assert (found.returncode, found.stdout) == (2, "")
    assert message in found.stderr and found.stderr.count("\n") == 1


def test_answers_do_not_wait_for_acknowledgements() -> None:
    async def delay_off() -> int:
        found: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        async def on_client(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            found.set_result(writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        async with await asyncio.start_server(on_client, sock=listen("127.0.0.1", 0)) as server:
            _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.close()
            return await found

    assert asyncio.run(delay_off())


def test_a_failure_is_counted_and_has_an_answer(
    quick_run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    app = make_app(Models([quick_run]))
    monkeypatch.setattr("nmt.serve.libretranslate.detect", lambda *_: 1 / 0)
    answer = ask(app, "/detect", json={"q": "a"})
    assert (answer.status_code, answer.json()["error"]) == (500, "the server failed; its log says why")
    assert "ZeroDivisionError" in capsys.readouterr().err


@pytest.mark.parametrize("charset", ["punycode", "idna", "utf-7", "unicode_escape", "rot13", "CHARSET"])
def test_a_file_that_names_an_odd_charset(server: Server, charset: str) -> None:
    text = f'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset={charset}\\n"\n\nmsgid "a"\nmsgstr ""\n'
    assert sent(server, "x.po", text).status_code == 200
    text = f'<?xml version="1.0" encoding="{charset}"?><tmx><body>+2AA-\\ud800</body></tmx>'
    assert sent(server, "x.tmx", text).status_code in {200, 400}


def test_a_run_whose_language_is_not_in_ascii(quick_run: Path, tmp_path: Path) -> None:
    shutil.copytree(quick_run, tmp_path / "run")
    config = (quick_run / "config.yaml").read_text(encoding="utf-8")
    (tmp_path / "run" / "config.yaml").write_text(config.replace("target: fr", "target: '中\"/文'"), encoding="utf-8")
    app = make_app(Models([tmp_path / "run"]))
    values = {"source": "en", "target": '中"/文'}
    answer = ask(app, "/translate_file", data=values, files={"file": ("a.txt", b"a")}).json()
    made = ask(app, answer["translatedFileUrl"].removeprefix("http://localhost"))
    assert (made.status_code, made.headers["Content-Disposition"]) == (
        200,
        'attachment; filename="translated.translated.txt"',
    )
