"""Makes the built site independent of the network: `make docs`, after the build.

The theme fetches one script from elsewhere, which lets the search work in pages that are opened from disk. The site has
its own, docs/javascripts/file-worker.js. Exits with a message if a page would still load something from another host.
"""

import re
import sys
from pathlib import Path

SITE = Path(__file__).parent.parent / "build" / "docs"
FETCHED = "https://unpkg.com/iframe-worker/shim"
OWN = "javascripts/file-worker.js"
LOADED = re.compile(
    r'<(?:script|img|iframe)\b[^>]*\bsrc="?https?:[^\s">]+'  # what a page loads by itself
    r'|<link\b[^>]*rel="?stylesheet[^>]*https?:[^>]*>'
)


def main() -> None:
    """Rewrite every page."""
    for page in SITE.rglob("*.html"):
        up = "../" * (len(page.relative_to(SITE).parts) - 1)
        text = page.read_text(encoding="utf-8").replace(FETCHED, up + OWN)
        if found := LOADED.search(text):
            sys.exit(f"{page}: needs the network: {found[0]}")
        page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
