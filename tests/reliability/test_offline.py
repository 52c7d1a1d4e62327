"""Security: nothing opens a connection, neither at import nor in training, translating or evaluating."""

import pytest

from reliability.job import command

GUARD = """
import socket, sys
class Guard(socket.socket):
    def __init__(self, *values, **options):
        raise SystemExit("a connection")
socket.socket = socket.create_connection = socket.getaddrinfo = socket.gethostbyname = Guard
sys.addaudithook(lambda event, _: event in {"socket.connect", "socket.bind", "socket.getaddrinfo"} and sys.exit(event))
"""
COMMANDS = [
    ["check", "digits.yaml"],
    ["train", "digits.yaml", "training.max_steps=2"],
    ["translate", "runs/digits", "-i", "corpus/valid.a"],
    ["eval", "runs/digits", "--source", "corpus/valid.a", "--reference", "corpus/valid.b"],
]
EACH = f"""
from nmt.cli import main
for words in {COMMANDS}:
    sys.argv = ["nmt", *words]
    try:
        main()
    except SystemExit as leaving:
        if leaving.code:
            raise
"""


def test_no_command_connects(workplace) -> None:
    done = command(workplace, "info", "runs/digits", before=GUARD + EACH)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("bad", ["import socket; socket.socket()", "import _socket; _socket.socket().bind(('', 0))"])
def test_the_guard_would_see_it(workplace, bad: str) -> None:
    done = command(workplace, "--version", before=f"{GUARD}\n{bad}")
    assert (done.returncode == 1 and "connection" in done.stderr) or "socket.bind" in done.stderr
