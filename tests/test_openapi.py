"""Any request that the OpenAPI description allows, and many that it does not: none ends in a server error (slow)."""

from pathlib import Path
from typing import Any

import pytest

schemathesis = pytest.importorskip("schemathesis", reason="needs schemathesis")
pytest.importorskip("fastapi", reason="needs the extra `serve`")
hypothesis = pytest.importorskip("hypothesis")

from test_serve import quick_run  # noqa: E402, F401

from nmt.serve.app import make_app  # noqa: E402
from nmt.serve.limits import Access, Limits  # noqa: E402
from nmt.serve.models import Models  # noqa: E402

EXAMPLES = 60  # requests of each path


@pytest.fixture(scope="module")
def schema(quick_run: Path) -> Any:  # noqa: F811
    """The description that the server gives of itself."""
    limits = Limits(max_chars=60, max_texts=4, max_beam=3, max_alternatives=2, max_length=100)
    app = make_app(Models([quick_run], threads=1), limits, Access(hosts=("*",)))
    return schemathesis.openapi.from_asgi("/openapi.json", app)


@pytest.mark.slow
def test_no_request_is_a_server_error(schema: Any) -> None:
    operations = [found.ok() for found in schema.get_all_operations()]
    assert {operation.path for operation in operations} >= {
        "/translate",
        "/v1/translate",
        "/v2/translate",
        "/v1/stream",
    }
    for operation in operations:

        @hypothesis.given(case=operation.as_strategy())
        @hypothesis.settings(
            max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(hypothesis.HealthCheck)
        )
        def ask(case: Any) -> None:
            answer = case.call()
            assert answer.status_code < 500, f"{case.method} {case.path}: {answer.text}"

        ask()
