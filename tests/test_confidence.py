"""Confidence: what is right, the curve and its error, the file, and where it is shown."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import nmt
from nmt.inference.confidence import Calibration, Curve, Fit, _fit, calibrate, from_json, isotonic, right_words, to_json
from nmt.inference.request import TranslateOptions
from nmt.runs import store

HALF = Fit(Curve((0.0, 1.0), (0.5, 0.5)), (), (), 0.0, 0.0)


def test_right_words_are_in_the_reference_in_the_same_order() -> None:
    assert right_words("le chat noir .", "le chien noir .") == [True, False, True, True]
    assert right_words("noir le", "le noir").count(True) == 1
    assert right_words("", "le") == []


def test_a_curve_that_rises_and_is_never_certain() -> None:
    sure = np.linspace(0, 1, 1000)
    right = (np.random.default_rng(1).random(1000) < sure**2).astype(float)
    curve = isotonic(sure, right)
    assert list(curve.shares) == sorted(curve.shares) and curve.shares[0] > 0 and curve.shares[-1] < 1
    assert curve(0.5) == pytest.approx(0.25, abs=0.1)
    assert curve(-1.0) == curve.shares[0] and curve(2.0) == curve.shares[-1]


def test_calibration_lowers_the_error_on_lines_it_has_not_seen() -> None:
    random = np.random.default_rng(2)
    sure = random.random(4000)
    right = (random.random(4000) < sure / 2).astype(float)  # twice too sure
    pairs = [(float(one), float(two)) for one, two in zip(sure, right, strict=True)]
    fit = _fit([(*pair, number // 10) for number, pair in enumerate(pairs)])
    assert fit.error_before > 0.2
    assert fit.error_after < 0.05
    assert sum(count for *_, count in fit.before) == 4000


def test_calibrated_on_the_translations_of_a_run(tiny_run: Path) -> None:
    from nmt.evaluation.outputs import load_outputs

    outputs = load_outputs(tiny_run)
    assert outputs is not None
    translator = nmt.load(tiny_run, threads=1)
    found = calibrate(translator, "x", outputs.sources * 10, outputs.references * 10, outputs.references * 10)
    assert found is not None and found.words.before[-1][1] == 1.0  # references are right
    assert calibrate(translator, "x", ["a"], ["b"], ["c"]) is None


def test_words_and_sentences_have_it(tiny_run: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    options = TranslateOptions(details=True)
    [plain] = nmt.load(run, threads=1).translate(["the cat"], options=options)
    assert plain.details is not None and plain.details.to_dict()["confidence"] is None
    store.save_calibration(run, Calibration(store.model_hash(run), 9, HALF, HALF))
    [found] = nmt.load(run, threads=1).translate(["the cat"], options=options)
    assert found.details is not None and found.details.confidence == 0.5
    assert {word.confidence for word in found.details.target} == {0.5}
    store.save_calibration(run, Calibration("another model", 9, HALF, HALF))
    assert nmt.load(run, threads=1).confidence is None


def test_the_file_is_checked() -> None:
    good = json.loads(to_json(Calibration("x", 9, HALF, HALF)))
    assert from_json(good).words.curve == HALF.curve
    for change in ({"format": 2}, {"model": 3}, {"words": {}}, {"sentences": {**good["words"], "error_before": -1}},
                   {"words": {**good["words"], "curve": {"probabilities": [1, 0], "shares": [0, 1]}}}):  # fmt: skip
        with pytest.raises(ValueError):
            from_json({**good, **change})
