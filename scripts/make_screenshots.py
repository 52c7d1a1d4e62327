"""Take the pictures of the page and of the report in docs/pictures.

    nmt train configs/en-fr.yaml run=runs/en-fr training.snapshots=8
    nmt train configs/en-fr.yaml run=runs/dot model.attention=dot
    python scripts/make_screenshots.py runs/en-fr runs/dot

The second run is that with which the report compares the first. Needs Playwright and Chromium, which
`make test-browser` installs.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

PROJECT = Path(__file__).parent.parent
PICTURES = PROJECT / "docs" / "pictures"
PORT = 8765
WIDTH = 1040  # pixels, of a page
LEARNT = "This man bought three red apples at the market."
CHOSEN = "acheté"  # the word whose alternatives are shown
COMPARED = "You wanted that grey dog."


def main() -> None:
    """Serve the first run, and take the pictures one by one."""
    if len(sys.argv) != 3:
        sys.exit("usage: python scripts/make_screenshots.py RUN OTHER")
    run, other = (Path(word).resolve() for word in sys.argv[1:])
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright, served(run) as address:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])

        def opened(place: str, scheme: str = "light") -> Page:
            size: Any = {"width": WIDTH, "height": 700}
            page = browser.new_context(viewport=size, color_scheme=scheme, reduced_motion="reduce").new_page()
            page.goto(place)
            if place == address:
                page.wait_for_selector("body[data-ready]")
            return page

        page = opened(address)
        page.fill("#source", LEARNT)
        page.click(f"#left .word:has-text('{CHOSEN}')")
        page.wait_for_selector("#others button")
        page.screenshot(path=PICTURES / "page.png", full_page=True)
        page.click("#learning > summary")
        page.wait_for_selector("#steps tr")
        page.locator("#learning").screenshot(path=PICTURES / "page-learning.png")

        page = opened(address, "dark")
        page.fill("#source", COMPARED)
        page.check("#compare")
        page.wait_for_selector("#right .facts:has-text('score')")
        page.locator("#settings-right .beam").fill("1")
        page.wait_for_selector("#right .facts:has-text('score')")
        page.wait_for_timeout(2_000)  # for the last answer of the slider
        page.screenshot(path=PICTURES / "page-dark.png", full_page=True)

        report = report_of(run)
        page = opened(report.as_uri())
        page.screenshot(path=PICTURES / "report.png")
        page.locator("#confidence").screenshot(path=PICTURES / "report-confidence.png")
        page = opened(report_of(run, other).as_uri(), "dark")
        page.screenshot(path=PICTURES / "report-compare-dark.png")
        browser.close()


@contextmanager
def served(run: Path) -> Iterator[str]:
    """Serve the run meanwhile, and return the address."""
    command = [sys.executable, "-m", "nmt", "serve", str(run), "--port", str(PORT)]
    server = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    assert server.stdout
    try:
        for line in server.stdout:
            if f":{PORT}" in line:
                break
        else:
            sys.exit("nmt serve did not start")
        yield f"http://127.0.0.1:{PORT}/"
    finally:
        server.terminate()
        server.wait()


def report_of(*runs: Path) -> Path:
    """Write the report of one run, or of two compared, and return its place."""
    file = PROJECT / "build" / "report.html"
    file.parent.mkdir(exist_ok=True)
    subprocess.run([sys.executable, "-m", "nmt", "report", *map(str, runs), "-o", str(file)], cwd=PROJECT, check=True)
    return file


if __name__ == "__main__":
    main()
