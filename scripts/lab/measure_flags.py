"""How often the flags of `nmt translate --flags` are right: raised on what was spoilt on purpose, and on what was not.

    python scripts/lab/measure_flags.py RUN --source test.en --reference test.fr  # table, docs/lab/flags.json; minutes

The model translates the source. Its translations are then spoilt, one kind of error at a time (KINDS); or the source is
spoilt and translated. The flags are the product's. They need a log-probability and an attention, and so the model reads
what is spoilt, and the references, as for `nmt score` and `nmt align`.

Each kind belongs to one flag, which should be raised on it. On translations as they are, and on the references, no flag
should be; but some of the model's translations are wrong, so that a flag there is not always a false alarm.
"""

import argparse
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import nmt
from nmt.data.corpus import ParallelFiles, read_pairs
from nmt.inference.align import align
from nmt.inference.quality_flags import FLAGS, flags
from nmt.inference.translation import Translation
from nmt.inference.translator import Translator
from nmt.metrics import score

ANY = "any flag"
PHRASE = 10  # words, at most, that are said again


class Line(NamedTuple):
    source: str
    output: str  # the model's translation of it
    others: tuple[str, str]  # its translations of two other lines


def say_again(line: Line, random: Random) -> str | None:
    """A phrase of 1 to PHRASE words twice, or one word three times."""
    words = line.output.split()
    if not words:
        return None
    size = random.randint(1, min(PHRASE, len(words)))
    end = random.randint(size, len(words))
    again = words[end - size : end] * (2 if size == 1 else 1)
    return " ".join(words[:end] + again + words[end:])


def keep(share: float) -> Callable[[Line, Random], str | None]:
    """The first words, of lines that have at least eight."""

    def cut(line: Line, random: Random) -> str | None:
        words = line.output.split()
        return " ".join(words[: int(share * len(words))]) if len(words) >= 8 else None

    return cut


def go_on(line: Line, random: Random) -> str:
    return " ".join((line.output, *line.others))


def copy_source(line: Line, random: Random) -> str:
    return line.source


def change_number(line: Line, random: Random) -> str | None:
    """Another digit in the place of one."""
    places = [match.start() for match in re.finditer("[0-9]", line.output)]
    if not places:
        return None
    place = random.choice(places)
    digit = random.choice([digit for digit in "0123456789" if digit != line.output[place]])
    return line.output[:place] + digit + line.output[place + 1 :]


def take_other(line: Line, random: Random) -> str | None:
    return line.others[0] if line.others[0] != line.output else None


def shuffle(text: str, random: Random) -> str | None:
    words = text.split()
    random.shuffle(words)
    return " ".join(words) if words != text.split() else None


def shuffle_output(line: Line, random: Random) -> str | None:
    return shuffle(line.output, random)


def shuffle_source(line: Line, random: Random) -> str | None:
    return shuffle(line.source, random)


def reverse_words(line: Line, random: Random) -> str:
    """Every word of the source backwards: what is left of a language is rare pieces."""
    return " ".join(word[::-1] for word in line.source.split())


class Kind(NamedTuple):
    """A kind of error, the flag that should tell it, and what makes it: None where a line has no room for it."""

    flag: str
    how: str
    spoil: Callable[[Line, Random], str | None]
    of_source: bool = False  # what is spoiled is the source, which is then translated


KINDS = [
    Kind("repetition", f"1 to {PHRASE} words of it twice, or one three times", say_again),
    Kind("length", "cut after a quarter", keep(0.25)),
    Kind("length", "goes on with two other translations", go_on),
    Kind("uncovered", "cut after half", keep(0.5)),
    Kind("copied", "the source instead", copy_source),
    Kind("numbers", "one digit changed", change_number),
    Kind("improbable", "another line's translation instead", take_other),
    Kind("improbable", "its words shuffled", shuffle_output),
    Kind("improbable", "translated from shuffled words", shuffle_source, of_source=True),
    Kind("improbable", "translated from words spelt backwards", reverse_words, of_source=True),
]


def judge(translator: Translator, pairs: Sequence[tuple[str, str]]) -> list[list[str]]:
    """The flags of given texts, as the model reads them."""
    scored = translator.score(pairs)
    attentions = [found.words if translator.attends else None for found in align(translator, pairs)]
    return [
        flags(*pair, one.log_prob, attention) for pair, one, attention in zip(pairs, scored, attentions, strict=True)
    ]


def judge_own(translations: Sequence[Translation]) -> list[list[str]]:
    """The flags of the model's translations, as `nmt translate --flags` prints them."""
    return [flags(each.source, each.text, each.log_prob, each.attention) for each in translations]


def judge_spoilt(kind: Kind, lines: Sequence[Line], translator: Translator) -> list[list[str]]:
    """The flags of the lines that have room for this kind of error."""
    random = Random(1)
    texts = [(line.source, kind.spoil(line, random)) for line in lines]
    pairs = [(source, text) for source, text in texts if text is not None]
    if kind.of_source:
        return judge_own(translator.translate([text for _, text in pairs]))
    return judge(translator, pairs)


def count(found: Sequence[list[str]]) -> dict[str, int]:
    """On how many lines each flag is raised, and any at all."""
    return {name: sum(name in each for each in found) for name in FLAGS} | {ANY: sum(map(bool, found))}


def measure(translator: Translator, pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Counts of lines; `pairs` of sources and references."""
    sources, references = [source for source, _ in pairs], [reference for _, reference in pairs]
    translations = translator.translate(sources)
    outputs, judged = [each.text for each in translations], judge_own(translations)
    size = len(outputs)
    lines = [
        Line(source, outputs[index], (outputs[(index + 1) % size], outputs[(index + 2) % size]))
        for index, source in enumerate(sources)
    ]
    kinds = []
    for kind in KINDS:
        found = judge_spoilt(kind, lines, translator)
        kinds.append({"flag": kind.flag, "how": kind.how, "cases": len(found), "raised": count(found)})
    return {
        "lines": size,
        "bleu": round(score("bleu", outputs, references).value, 1),
        "outputs": count(judged),
        "references": count(judge(translator, pairs)),
        "chrf": {
            name: chrf([index for index in range(size) if bool(judged[index]) == flagged], outputs, references)
            for name, flagged in (("flagged", True), ("others", False))
        },
        "kinds": kinds,
    }


def chrf(indices: Sequence[int], outputs: Sequence[str], references: Sequence[str]) -> float | None:
    """chrF2++ of some of the lines."""
    chosen = [[texts[index] for index in indices] for texts in (outputs, references)]
    return round(score("chrf", *chosen).value, 1) if indices else None


def table(result: dict[str, Any]) -> list[str]:
    """Markdown: a row per kind of error, and one for all of them with any flag."""
    kinds = result["kinds"]
    cases, found = sum(kind["cases"] for kind in kinds), sum(kind["raised"][ANY] for kind in kinds)
    return [
        "| flag | what is spoilt | cases | flag raised | any raised | on outputs | on references | precision |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
        *(_row(result, kind["flag"], kind["how"], kind["cases"], kind["raised"]) for kind in kinds),
        _row(result, ANY, "all of these", cases, {ANY: found}),
    ]


def _row(result: dict[str, Any], flag: str, how: str, cases: int, raised: dict[str, int]) -> str:
    """Precision, at as many spoilt lines as clean ones: recall / (recall + share of the clean ones with the flag)."""
    recall, anyhow = (raised[name] / max(cases, 1) for name in (flag, ANY))
    outputs, references = (result[texts][flag] / result["lines"] for texts in ("outputs", "references"))
    precision = f"{recall / (recall + outputs):.1%}" if recall else ""
    shares = f"{recall:.1%} | {anyhow:.1%} | {outputs:.1%} | {references:.1%} | {precision}"
    return f"| {flag} | {how} | {cases:,} | {shares} |"


def main(arguments: list[str] | None = None) -> None:
    options = _options(arguments)
    pairs = [(pair.source, pair.target) for pair in read_pairs(ParallelFiles(options.source, options.reference))]
    result = {"source": options.source.name, **measure(nmt.load(options.run, threads=1), pairs)}
    options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print("\n".join(table(result)))


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("run", help="a trained run")
    parser.add_argument("--source", type=Path, required=True, metavar="FILE", help="lines to translate")
    parser.add_argument("--reference", type=Path, required=True, metavar="FILE", help="their translations by people")
    out = Path(__file__).parent.parent.parent / "docs" / "lab" / "flags.json"
    parser.add_argument("--out", type=Path, default=out, metavar="FILE", help="where the counts go")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
