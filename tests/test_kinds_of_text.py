"""Every kind of text in docs/kinds-of-text.md, as its owner would use it."""

import shlex
from pathlib import Path

import make_kinds_reference
import pytest
from kinds_of_text import KINDS, Kind

from nmt import load
from nmt.data.corpora import find_corpora
from nmt.data.from_text import settings_of
from nmt.metrics import statistics
from nmt.runs.store import load_settings, load_subwords
from nmt.training.train import train

# Training is as short as can be: what is tested is whether the text arrives, and can come out.
QUICK = {
    "subword.vocab_size": "400",
    "model.embedding": "8",
    "model.hidden": "8",
    "training.max_steps": "1",
    "training.batch_tokens": "400",
    "training.samples": "0",
    "data.hold_out": "2",
    "decoding.beam_size": "1",
    "threads": "1",
}


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> Kind:
    return request.param


@pytest.fixture(scope="module")
def run(kind: Kind, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `nmt train` makes of the files."""
    folder = tmp_path_factory.mktemp("kind")
    for name, content in kind.files.items():
        (folder / name).write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        first, *words = shlex.split(kind.typed)
        words = [word for word in words if word.partition("=")[0] not in QUICK]
        quick = [f"{key}={value}" for key, value in QUICK.items()]
        start = settings_of(Path(first), [*words, *quick, "run=run"])
        train(start.settings, ["nmt", "train"], False, start.files)
    return folder / "run"


def test_every_pair_is_read(kind: Kind, run: Path) -> None:
    [weighted] = find_corpora(load_settings(run).data).train
    assert [(pair.source, pair.target) for pair in weighted.source.pairs()] == kind.pairs


def test_every_target_line_can_come_out(kind: Kind, run: Path) -> None:
    subword = load_subwords(run).target
    lost = "\0" if subword.has_bytes else subword.decode([1])  # characters that only held-out lines have
    for _, target in kind.pairs:
        decoded = subword.decode(subword.encode(target))
        assert decoded == target or lost in decoded


def test_a_perfect_translation_scores_100(kind: Kind, run: Path) -> None:
    from nmt.languages import find_language

    data = load_settings(run).data
    texts = [target for _, target in kind.pairs]
    language = find_language(data.target_language, data.target, texts)
    for metric, best in (("bleu", 100), ("chrf", 100), ("exact", 100), ("cer", 0), ("wer", 0)):
        found = statistics(metric, texts, [texts], language=language)
        assert found.score().value == pytest.approx(best), metric
        assert metric != "bleu" or kind.tokenizer in found.signature


def test_lines_in_are_lines_out(kind: Kind, run: Path) -> None:
    sources = [source for source, _ in kind.pairs[:3]]
    translations = load(run).translate(["", *sources])
    assert [translation.source for translation in translations] == ["", *sources]
    assert translations[0].text == "" and not any("\n" in translation.text for translation in translations)


def test_the_page_is_current() -> None:
    page = make_kinds_reference.PROJECT / "docs" / "kinds-of-text.md"
    assert page.read_text(encoding="utf-8") == make_kinds_reference.reference()
    assert len(KINDS) >= 30
