"""Numbers: every setting and option has a range; its corners, and what is no number, are taken or refused in a line."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.main import get_command

import nmt
from nmt import cli, config, device
from nmt.config import DecodingSettings
from nmt.config.full_keys import field
from nmt.errors import ConfigError, DataError
from nmt.evaluation.gold import read_gold
from nmt.inference.mbr import COLUMNS, pairwise_chrf
from nmt.inference.sampling import Sampling
from nmt.memory import UNKNOWN
from reliability.job import CONFIG, call, command, make_workplace, run

HUGE = 10**30
# As people, other programs and attackers write them: no value here may do anything but be a setting or be refused.
ODD_WORDS = [
    "nan", ".nan", "inf", ".inf", "-.inf", "1e400", "-1e400", "1e-400", "1e308", f"{HUGE}", f"-{HUGE}", "9" * 5000,
    "\u0663", "\u00b2", "\u2167", "\U0001d7d9", "1_000_", "0x10", "1e", "--1", "1,5", "true", "[1]", "{a: 1}", "''",
    "null", "1k k", "9" * 300 + "k", "9" * 300 + "e", "9" * 300 + "h", "0.0000000001e",
]  # fmt: skip
IMPOSSIBLE = {"nan", ".nan", ".inf", "1e400", f"{HUGE}", "9" * 5000, "\u00b2", "9" * 300 + "k", "''"}  # as numbers
ODD_VALUES: list[Any] = [math.nan, math.inf, -math.inf, HUGE, -HUGE, 10**5000, True, None, "x", [1], {}, b"1", 1 + 2j]


def numeric() -> list[str]:
    return [key for key in config.keys() if field(key).annotation in {int, float, int | float}]  # noqa: SIM118


def limits(key: str) -> dict[str, float]:
    names = ("ge", "gt", "le", "lt")
    found = [(name, getattr(each, name, None)) for each in field(key).metadata for name in names]
    return {name: value for name, value in found if value is not None}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("numbers") / "a.yaml"
    path.write_text("data: {folder: corpus, source: a, target: b}\ntraining: {max_steps: 9}\n")
    return path


def test_every_number_has_both_limits() -> None:
    """A new setting without them fails here: give it `ge=` or `gt=`, and `le=` or `lt=`, that a machine can bear."""
    for key in numeric():
        assert limits(key).keys() & {"ge", "gt"} and limits(key).keys() & {"le", "lt"}, key


def corners(key: str) -> Iterator[tuple[str, bool]]:
    """(value, whether it is in the range)"""
    whole = field(key).annotation is int
    for name, limit in limits(key).items():
        inside, outside = (1, -1) if name in {"ge", "gt"} else (-1, 1)
        step = 1 if whole else max(abs(limit) * 1e-6, 1e-9)
        number = int(limit) if whole else limit
        yield repr(number + outside * step), False
        yield repr(number), name in {"ge", "le"}
        yield repr(number + inside * step), True


def test_corners_of_every_setting(base: Path, record_property) -> None:
    """A value outside the range is refused for that, one inside at most for what other settings are."""
    cases = 0
    for key in numeric():
        for text, possible in corners(key):
            try:
                config.load(base, [f"{key}={text}"])
                problems: tuple[str, ...] = ()
            except ConfigError as error:
                problems = error.problems
            beyond = any(f": {key}: {text} must be " in line for line in problems)
            assert bool(problems) if not possible else not beyond, (key, text, problems)
            cases += 1
    record_property("cases", cases)


@pytest.mark.parametrize("every", [5, pytest.param(1, marks=pytest.mark.slow)])
def test_odd_words_for_every_setting(base: Path, record_property, every: int) -> None:
    """All settings at once: each number has its problem, and no line is long."""
    everything = [key for key in config.keys() if key != "data"]  # noqa: SIM118
    for word in ODD_WORDS[::every]:
        with pytest.raises(ConfigError) as caught:
            config.load(base, [f"{key}={word}" for key in everything])
        assert all(len(problem) < 1000 for problem in caught.value.problems)
        if word in IMPOSSIBLE:
            for key in numeric():
                assert any(f"{key}: " in line or f"{key}=" in line for line in caught.value.problems), (key, word)
    record_property("cases", len(everything) * len(ODD_WORDS[::every]))


def test_odd_values_from_python(base: Path, record_property) -> None:
    settings = config.load(base)
    for key in numeric():
        section, _, name = key.rpartition(".")
        for value in ODD_VALUES:
            with pytest.raises(ConfigError):
                config.changed(getattr(settings, section) if section else settings, **{name: value})
    record_property("cases", len(numeric()) * len(ODD_VALUES))


@pytest.mark.parametrize("text", ["3e", "0.3e", "1e-5 epochs", "0.00001e", "123456789e", "123456789", "1000000000"])
def test_an_interval_reads_back_as_it_was(base: Path, tmp_path: Path, text: str) -> None:
    try:
        settings = config.load(base, [f"training.save_every={text}"])
    except ConfigError:
        return
    (tmp_path / "b.yaml").write_text(config.dump(settings))
    assert config.load(tmp_path / "b.yaml").training.save_every == settings.training.save_every


# Options -------------------------------------------------------------------------------------------------------------


def numeric_options() -> list[tuple[str, str, Any]]:
    """(command, name, option) of every option that takes a number."""
    commands = get_command(cli.app).commands  # type: ignore[attr-defined]
    return [
        (name, option.opts[0], option)
        for name, each in commands.items()
        for option in each.params
        if option.opts[0].startswith("-") and hasattr(option, "type_descriptor")
        if option.type_descriptor.annotation in {int, float}
    ]


WORDS = ["nan", "inf", "-inf", "1e400", f"{HUGE}", "9" * 5000, "-1", "\u00b2", "x", "", "1e308"]


def test_options_beyond_their_range(tmp_path: Path, monkeypatch, record_property) -> None:
    """Refused before anything is loaded, by a line that names the option as it is typed."""
    monkeypatch.chdir(tmp_path)
    cases = 0
    for name, option, _ in numeric_options():
        for word in WORDS:
            done = call(name, f"{option}={word}")
            assert done.status == 2, (name, option, word, done.errors)
            assert "Traceback" not in done.errors
            if name not in {"average", "score", "align", "export"}:  # those lack an argument first
                assert done.errors.startswith(f"error: {option}: "), (name, option, done.errors)
            cases += 1
    assert cases > 100
    record_property("cases", cases)


def test_every_option_that_is_a_number_has_a_range() -> None:
    for name, _, option in numeric_options():
        assert option.min is not None and option.max is not None, (name, option)


@pytest.mark.parametrize(
    "wrong",
    [
        {"n_best": 0}, {"n_best": HUGE}, {"mbr": 1}, {"mbr": -1}, {"mbr": HUGE}, {"beam_size": HUGE},
        {"length_penalty": math.nan}, {"changes": {"batch_size": HUGE}}, {"changes": {"beam_size": -1}},
    ],
)  # fmt: skip
def test_what_is_refused_on_the_command_line_is_refused_from_python(tiny_run: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        nmt.load(tiny_run, device="cpu").translate(["a"], **wrong)


@pytest.mark.parametrize("threads", [0, -1, 1025, HUGE])
def test_threads_have_a_range(tiny_run: Path, threads: int) -> None:
    if threads == 0:
        assert nmt.load(tiny_run, threads=threads).threads == 0
        return
    with pytest.raises(ConfigError, match="threads"):
        nmt.load(tiny_run, threads=threads)


def test_threads_that_the_shell_does_not_allow(monkeypatch) -> None:
    """The library that starts them would end the process."""
    monkeypatch.setattr(device, "address_space_at_hand", lambda: 100_000_000)
    with pytest.raises(ConfigError, match="threads: 500 are more than the limits of this shell allow"):
        device.check_threads(500)
    monkeypatch.setattr(device, "address_space_at_hand", lambda: UNKNOWN)
    device.check_threads(500)


@pytest.mark.parametrize(
    "wrong",
    [{"temperature": 1e308}, {"temperature": 10**400}, {"top_k": HUGE}, {"seed": HUGE}, {"top_p": math.nan}],
)
def test_sampling_has_ranges(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"or less|at most"):
        Sampling(**wrong)


# Numbers in files ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", ["9" * 5000, "\u0663", "\u00b2"])
def test_numbers_in_files(tmp_path: Path, number: str) -> None:
    (tmp_path / "gold").write_text(f"{number}-0\n")
    with pytest.raises(DataError, match=r"gold:1: .* is not a link"):
        read_gold(tmp_path / "gold", [("a", "b")])
    workplace = make_workplace(tmp_path)
    (workplace / "v.txt").write_text(f"{number} 8\na 1 2\n")
    with pytest.raises((DataError, ConfigError), match=r"v\.txt|vectors"):
        run(
            workplace, workplace / "run", "subword.model_type=word", f"training.source_vectors={workplace / 'v.txt'}",
            "model.tying=target", "training.max_steps=1",
        )  # fmt: skip


# Memory --------------------------------------------------------------------------------------------------------------


def test_a_wide_beam_gets_smaller_batches(tiny_run: Path, monkeypatch) -> None:
    """And finds the same."""
    from nmt.inference import searches
    from nmt.inference import translator as module

    lines = ["We see the house.", "The house is small.", "A cat."]
    expected = [each.text for each in nmt.load(tiny_run, threads=1).translate(lines, beam_size=3, attention=False)]
    sizes: list[int] = []
    real = searches.search
    monkeypatch.setattr(module, "MOST_VALUES", 3 * 360 * 2)
    monkeypatch.setattr(
        searches, "search", lambda model, source, *rest: (sizes.append(len(source)), real(model, source, *rest))[1]
    )
    found = [each.text for each in nmt.load(tiny_run, threads=1).translate(lines, beam_size=3, attention=False)]
    assert found == expected
    assert max(sizes) == 2


def test_likeness_is_counted_in_parts(monkeypatch) -> None:
    texts = ["the house is small", "a house is small", "the cat", "", "x" * 30]
    expected = pairwise_chrf(texts)
    assert COLUMNS > 100
    monkeypatch.setattr("nmt.inference.mbr.COLUMNS", 7)
    assert (pairwise_chrf(texts) == expected).all()


LIMIT = "import resource; resource.setrlimit(resource.RLIMIT_AS, ({0}, {0}))"
LIMITED = [
    (["check", "a.yaml", "threads=1024"], {0, 2}),
    (["check", "a.yaml", "model.hidden=65536", "model.embedding=65536"], {0}),
    (["train", "a.yaml", "model.hidden=65536", "model.embedding=65536"], {5}),
    (["train", "a.yaml", "subword.vocab_size=500000", "subword.model_type=unigram"], {0, 2, 5}),
    (["translate", "RUN", "-i", "in", "--beam-size", "1000", "--batch-size", "100000"], {0}),
    (["translate", "RUN", "-i", "in", "--mbr", "1000"], {0}),
    (["translate", "RUN", "-i", "in", "--threads", "1024"], {2}),
    (["translate", "RUN", "-i", "in", "--sample", "--temperature", "1000", "--n-best", "1000"], {0}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("words", "allowed"), LIMITED, ids=[" ".join(words) for words, _ in LIMITED])
def test_corners_under_a_limit_of_memory(tmp_path: Path, words: list[str], allowed: set[int]) -> None:
    """4 GB of address space, set by the kernel. No end but a documented one."""
    workplace = make_workplace(tmp_path)
    (workplace / "a.yaml").write_text(CONFIG.replace("max_steps: 12", "max_steps: 1").replace("threads: 1\n", ""))
    (workplace / "in").write_text("123\n45\n")
    if "RUN" in words:
        run(workplace, workplace / "run", "training.max_steps=2")
        words = [str(workplace / "run") if word == "RUN" else word for word in words]
    done = command(workplace, *words, before=LIMIT.format(4_000_000_000))
    assert done.returncode in allowed, done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode == 0 or done.stderr.startswith("error: ")


def test_the_defaults_are_in_their_ranges() -> None:
    DecodingSettings.model_validate(DecodingSettings().model_dump())
    assert torch.get_num_threads() == 1
