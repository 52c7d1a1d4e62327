"""What a run was made of: data, settings, provenance, and what training it took."""

from pathlib import Path
from typing import Any

from nmt.data.words import split_words
from nmt.report.contents import Told
from nmt.report.records import points
from nmt.training.log import clock


def data_counts(run: Told) -> list[tuple[str, str]]:
    """Return what is known of the data, as (what, value)."""
    found = []
    left_out = run.provenance.get("left_out", {})
    if known := run.statistics:
        low, median, high = known.word_ratio
        found += [
            ("training pairs", f"{known.pairs:,}"),
            ("longest source, in subwords", f"{known.longest_source:,} (99.9 % have at most {known.usual_source:,})"),
            ("sentences in a source line", f"95 % have at most {known.usual_sentences:,}"),
            (
                "target words for a source word",
                f"median {median:.2f}; {low:.2f} to {high:.2f} in 99.8 % of the pairs",
            ),
        ]
    if run.outputs:
        words = [len(split_words(line)) for line in run.outputs.sources]
        found += [
            ("validation lines", f"{run.outputs.lines:,}"),
            ("source words in a validation line", f"{min(words)} to {max(words)}, mean {sum(words) / len(words):.1f}"),
        ]
        if run.outputs.counted:
            wanted = [word.text for line in run.outputs.references for word in split_words(line)]
            unseen = sum(word not in run.outputs.words for word in wanted)
            found.append(("words of validation references that training never saw", f"{unseen:,} of {len(wanted):,}"))
    for text, notes in left_out.items() if isinstance(left_out, dict) else ():
        for note, count in notes.items() if isinstance(notes, dict) else ():
            found.append((f"{text}: {note}", f"{count:,}" if isinstance(count, int) else str(count)))
    sizes = run.settings.subword
    found.append(
        (
            "vocabulary",
            f"{sizes.vocab_size:,} {sizes.model_type} subwords, {'joint' if sizes.joint else 'a model for each side'}",
        )
    )
    return found


def written_setting(row: tuple[str, Any, Any]) -> tuple[str, str, str]:
    """Return a setting with two values as text."""
    key, one, other = row
    return key, _written(one), _written(other)


def _written(value: Any) -> str:
    if value is None or value in ("", [], ()):
        return "–"
    if isinstance(value, list | tuple):
        return ", ".join(map(_written, value))
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def provenance(run: Told) -> list[tuple[str, str]]:
    """Return what a run comes from, as (what, value): parent, machine, versions, checksums of its data."""
    known = run.provenance
    found = []
    if isinstance(parent := known.get("parent"), dict):
        found.append(("fine-tuned from", f"{parent.get('run')}, sha256 {parent.get('sha256')}"))
    single = ("export_of", "machine", "device")
    found += [(name.replace("_", " "), str(known[name])) for name in single if name in known]
    for group in ("versions", "data"):
        values = known.get(group)
        named = values.items() if isinstance(values, dict) else ()
        found += [(name if group == "versions" else f"sha256 of {name}", str(value)) for name, value in named]
    return found


def command(run: Told) -> str:
    """Return the command that trained the run; "" if it is unknown."""
    given = run.provenance.get("command")
    words = [str(word) for word in given] if isinstance(given, list) else []
    return " ".join(["nmt", *words[1:]]) if words and Path(words[0]).name in {"nmt", "__main__.py"} else " ".join(words)


def cost(run: Told, other: Told | None) -> list[tuple[str, list[str]]]:
    """Return what training took, as (what, the value of each run)."""
    rows: dict[str, list[str]] = {}
    for told in (run, *([other] if other else [])):
        records = told.records
        last = max([*records.train, *records.validations], key=lambda each: each["step"], default={})
        speeds = sorted(value for _, value in points(records.train, "target_tokens_per_second"))
        values = {
            "training time, with validation": clock(told.seconds) if told.seconds else "unknown",
            "steps": f"{last['step']:,}" if last else "unknown",
            "epochs": f"{last['epoch']:.1f}" if isinstance(last.get("epoch"), float) else "unknown",
            "target tokens per second, median": f"{speeds[len(speeds) // 2]:,.0f}" if speeds else "unknown",
            "peak memory": _mega(records.peak_memory),
            **({"peak memory of the GPU": _mega(records.peak_device_memory)} if records.peak_device_memory else {}),
            "parameters": f"{told.parameters:,}",
            "machine": ", ".join(
                str(told.provenance[name]) for name in ("machine", "device") if name in told.provenance
            )
            or "unknown",
        }
        for name, value in values.items():
            rows.setdefault(name, []).append(value)
    return list(rows.items())


def _mega(size: int) -> str:
    return f"{size / 1e6:,.0f} MB" if size else "unknown"
