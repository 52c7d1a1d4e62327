"""The page `report.html`: one file that needs no network and no script, made of `templates/` by Jinja, which escapes
all text of the run."""

from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from nmt.errors import DataError
from nmt.files import write_atomic
from nmt.report.charts import short
from nmt.report.contents import Contents
from nmt.report.examples import visible
from nmt.report.view import percent, values
from nmt.runs.store import REPORT

LARGEST = 2_000_000  # bytes of the page


def render(contents: Contents) -> str:
    """Return the page. Raises DataError if it would be too large, which no run should make it."""
    templates = Environment(
        loader=PackageLoader("nmt.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    templates.filters |= {"visible": visible, "percent": percent, "short": short}
    page = templates.get_template("report.html").render(**values(contents))
    if len(page.encode()) > LARGEST:
        raise DataError(f"{contents.run.path / REPORT}: would have more than {LARGEST:,} bytes; not written")
    return page


def write(contents: Contents, path: Path) -> None:
    """Write the page. Raises DataError if it cannot be written."""
    page = render(contents)
    try:
        write_atomic(path, page.encode("utf-8", "replace"))
    except OSError as error:
        raise DataError(f"{path}: cannot write: {error.strerror}") from None
