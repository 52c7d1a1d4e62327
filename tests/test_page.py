"""The page in a real browser: what a person does with it. Skipped where there is no Chromium."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="needs Playwright: make test-browser")
pytest.importorskip("fastapi", reason="needs the extra `serve`")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
if not CHROMIUM:
    pytest.skip("needs Chromium: make test-browser", allow_module_level=True)

from test_serve import Server, quick_run  # noqa: E402, F401

from nmt.serve.app import make_app  # noqa: E402
from nmt.serve.models import Models  # noqa: E402


@pytest.fixture(scope="module")
def server(quick_run: Path) -> Iterator[Server]:  # noqa: F811
    found = Server(make_app(Models([quick_run], threads=1)))
    yield found
    found.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(params=["light", "dark", "phone"])
def page(browser: Any, server: Server, request: pytest.FixtureRequest) -> Iterator[Any]:
    phone = request.param == "phone"
    size = {"width": 360, "height": 740} if phone else {"width": 1200, "height": 900}
    context = browser.new_context(
        viewport=size, color_scheme="dark" if request.param == "dark" else "light", reduced_motion="reduce"
    )
    found = context.new_page()
    found.set_default_timeout(60_000)
    wrong: list[str] = []
    found.on("request", lambda asked: None if asked.url.startswith((server.url, "blob:")) else wrong.append(asked.url))
    found.on("pageerror", lambda error: wrong.append(str(error)))
    found.goto(server.url)
    found.wait_for_selector("body[data-ready]")
    yield found
    assert wrong == []  # neither errors nor requests to other hosts
    context.close()


def test_type_look_choose_and_go_on(page: Any) -> None:
    page.fill("#source", "the red cat")
    page.wait_for_selector("#left .word")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.hover("#left .word >> nth=0")
    assert page.locator("#mirror .w").count() == 3
    assert page.locator("#map thead th").all_inner_texts() == ["the", "red", "cat"]
    page.click("#left .word >> nth=0")
    page.locator("#others button").last.click()
    page.wait_for_selector("#said:has-text('Goes on from')")
    assert page.is_visible("#free")
    assert "prefix=" in page.url
    before = page.inner_text("#left .output")
    page.reload()
    page.wait_for_selector("#left .word")
    assert (page.input_value("#source"), page.inner_text("#left .output")) == ("the red cat", before)


def test_text_typed_while_the_page_loads_stays(page: Any, server: Server) -> None:
    def hold(route: Any) -> None:  # until the text is there
        held.append(route)

    held: list[Any] = []
    page.goto("about:blank")
    page.route("**/main.js", hold)
    page.goto(server.url, wait_until="commit")
    page.fill("#source", "the red cat")
    while not held:
        page.wait_for_timeout(20)
    held[0].continue_()
    page.wait_for_selector("body[data-ready]")
    page.wait_for_selector("#left .word")
    assert page.input_value("#source") == "the red cat"


def test_by_keyboard_alone(page: Any) -> None:
    page.fill("#source", "the red cat")
    page.wait_for_selector("#map td[tabindex='0']")
    page.focus("#map td[tabindex='0']")
    page.keyboard.press("ArrowRight")
    assert re.search(r"\u2069 ← \u2068red\u2069: \d+ %", page.inner_text("#map caption"))
    page.focus("#search > summary")
    page.keyboard.press("Enter")
    assert page.locator("#tree li").count() > 2


def test_lines_and_an_empty_one(page: Any) -> None:
    page.fill("#source", "the red cat\n\na dog")
    page.wait_for_selector("#left .word[data-line='2']")
    assert page.inner_text("#left .output").split("\n")[1] == ""
    page.hover("#left .word[data-line='2'] >> nth=0")
    assert page.evaluate("document.querySelector('#mirror').textContent") == "the red cat\n\na dog"
    assert page.locator("#mirror .w").all_inner_texts() == ["a", "dog"]
    page.click("#left .word[data-line='2'] >> nth=0")
    assert page.locator("#map thead th").all_inner_texts() == ["a", "dog"]
    assert page.inner_text("#attention h2").endswith(", line 3")
    page.locator("#others button").last.click()
    page.wait_for_selector("#said:has-text('Goes on from')")
    assert "prefix2=" in page.url
    assert page.evaluate("document.activeElement.matches('.word')")  # the keyboard stays where it was
    page.wait_for_selector("#search > summary")
    page.click("#search > summary")
    assert page.locator("#tree .best").count() > 0


def test_the_example_and_nothing_to_copy(page: Any) -> None:
    page.click("#copy")
    assert page.inner_text("#said") == "There is no translation yet; type a text first"
    page.click("#example")
    page.wait_for_selector("#left .word")
    assert page.is_hidden("#example") and page.is_hidden("#hint")


def test_a_po_file(page: Any, tmp_path: Path) -> None:
    (tmp_path / "a.po").write_text('msgid "the red cat"\nmsgstr ""\n', encoding="utf-8")
    page.set_input_files("#file", tmp_path / "a.po")
    page.wait_for_selector("#said:has-text('Download saves it')")
    with page.expect_download() as download:
        page.click("#download")
    assert download.value.suggested_filename == "translated-a.po"
    assert Path(download.value.path()).read_text(encoding="utf-8").startswith("#, fuzzy\nmsgid")
    (tmp_path / "b.po").write_text('msgid "a', encoding="utf-8")
    page.set_input_files("#file", tmp_path / "b.po")
    page.wait_for_selector("#said.wrong:has-text('b.po: file.po:1: ')")


def test_compare_and_a_file(page: Any, tmp_path: Path) -> None:
    page.fill("#source", "the red cat")
    page.check("#compare")
    page.wait_for_selector("#right .facts:has-text('score')")
    (tmp_path / "text.txt").write_text("a cat\n\na dog\n", encoding="utf-8")
    page.set_input_files("#file", tmp_path / "text.txt")
    page.wait_for_selector("#said:has-text('all 3 lines')")
    with page.expect_download() as download:
        page.click("#download")
    assert len(Path(download.value.path()).read_text(encoding="utf-8").split("\n")) == 4


def test_a_file_right_after_typing(page: Any, tmp_path: Path) -> None:
    """What was typed is not asked for any more: its answer would take the place of the file's."""
    (tmp_path / "text.txt").write_text("a cat\na dog\n", encoding="utf-8")
    page.fill("#source", "the red cat")
    page.set_input_files("#file", tmp_path / "text.txt")
    page.wait_for_selector("#said:has-text('all 2 lines')")
    page.wait_for_timeout(800)  # longer than the page waits after a key
    assert "all 2 lines" in page.inner_text("#said")
    with page.expect_download() as download:
        page.click("#download")
    assert download.value.suggested_filename == "translated-text.txt"


def test_nothing_is_asked_while_an_input_method_composes(page: Any) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate(
        """() => { const box = document.querySelector('#source');
        box.dispatchEvent(new CompositionEvent('compositionstart')); box.value = 'ㅎ';
        box.dispatchEvent(new InputEvent('input', {isComposing: true})); }"""
    )
    page.wait_for_timeout(600)
    assert asked == []
    page.evaluate("document.querySelector('#source').dispatchEvent(new CompositionEvent('compositionend'))")
    page.wait_for_selector("#left .facts:has-text('ms')")
    assert len([url for url in asked if url.endswith("/v1/translate")]) == 1


def test_attention_of_subwords_and_heads(page: Any) -> None:
    page.fill("#source", "the red cat")
    page.wait_for_selector("#map td")
    assert page.locator("#view option").count() == 7  # words, subwords, alignment, four heads
    words = page.locator("#map thead th").count()
    page.select_option("#view", "pieces")
    assert page.locator("#map thead th").count() > words
    page.select_option("#view", "head4")
    assert page.locator("#map thead th").all_inner_texts() == ["the", "red", "cat"]


def test_watch_it_learn(page: Any) -> None:
    page.fill("#source", "the red cat")
    page.wait_for_selector("#learning > summary")
    page.click("#learning > summary")
    page.wait_for_selector("#steps tr")
    assert page.locator("#steps tr").count() == 3  # two snapshots and the kept model
    page.focus("#step")
    page.keyboard.press("ArrowLeft")
    assert "step" in page.inner_text("#step-value") and page.locator("#steps tr.now").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize(
    ("text", "direction"), [("السلام عليكم abc", "rtl"), ("שלום עולם", "rtl"), ("한국어 문장", "ltr")]
)
def test_the_direction_of_the_text(page: Any, text: str, direction: str) -> None:
    page.fill("#source", text)
    page.wait_for_selector("#left .facts:has-text('ms')")
    assert page.evaluate("document.querySelector('#source').matches(':dir(rtl)')") is (direction == "rtl")
    page.wait_for_selector("#map th")
    assert page.locator("#map thead th bdi").count() == page.locator("#map thead th").count()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_words_of_a_right_to_left_translation_stand_from_right_to_left(page: Any) -> None:
    """Although each is a button by itself; a bracket is mirrored with its text."""
    direction, places, own = page.evaluate(
        """async () => {
        const { showWords } = await import(new URL("static/view.js", document.baseURI).href);
        const text = "الكتاب أحمر (red)";
        const target = [...text.matchAll(/[\\p{L}]+|[()]/gu)].map((match) =>
            ({ text: match[0], start16: match.index, end16: match.index + match[0].length,
               probability: 1, confidence: null, alternatives: [] }));
        const place = document.querySelector("#left .output");
        place.replaceChildren();
        showWords(place, { text, details: { target } }, {});
        const words = [...place.querySelectorAll(".word")];
        const places = words.map((word) => word.getBoundingClientRect().x);
        return [place.dir, places, words.map((word) => word.firstChild.dir)];
    }"""
    )
    assert (direction, own[2], own[4]) == ("rtl", "rtl", "rtl")
    assert places == sorted(places, reverse=True)


def test_text_is_never_markup(page: Any) -> None:
    page.fill("#source", "<img src=x onerror=alert(1)> מאמר abc")
    page.wait_for_selector("#left .facts:has-text('ms')")
    assert page.locator("main img").count() == 0


@pytest.mark.parametrize("kind", ["light", "dark", "phone"])
def test_axe_finds_nothing(browser: Any, server: Server, kind: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-core: make test-browser")
    size = {"width": 360, "height": 740} if kind == "phone" else {"width": 1200, "height": 900}
    scheme = "dark" if kind == "dark" else "light"
    context = browser.new_context(bypass_csp=True, viewport=size, color_scheme=scheme, reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.goto(f"{server.url}/#text=the+red+cat")
    page.wait_for_selector("#map td")
    page.click("#search > summary")
    page.check("#compare")
    page.wait_for_selector("#right .word")
    page.click("#learning > summary")
    page.wait_for_selector("#steps tr")
    page.click("#left .word >> nth=0")
    found = axe.Axe().run(page)
    context.close()
    assert [each["id"] for each in found.response["violations"]] == []
