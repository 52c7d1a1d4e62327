"""`nmt compare`: the short form of a report about two runs, as lines of text."""

from collections.abc import Iterator

from nmt.report.analysis import only_one_right
from nmt.report.contents import Contents, Told, from_each_other, metric_name
from nmt.shown import amount, each_shown
from nmt.training.log import clock

NGRAMS = 5


@each_shown
def compared(contents: Contents) -> Iterator[str]:
    """Describe how a run differs from another, in lines that are safe to show."""
    first, second = contents.run, contents.other
    assert second is not None
    yield f"{first.path} and {second.path}"
    for name, scores in first.scores.items():
        yield f"{name}: {amount(scores.sentences, 'line')}, {scores.decoding}"
        theirs = second.scores[name].scores
        for metric, score in scores.scores.items():
            own, other, gap = score, theirs[metric], contents.differences[name][metric]
            verdict = "significant" if gap.p_value < 0.05 else "not significant"
            yield (
                f"  {score.name:<9}{own.value:>6.1f} ± {own.interval:.1f} {other.value:>8.1f} ± {other.interval:.1f}   "
                f"{gap.value:+.1f} ± {gap.interval:.1f}, p = {gap.p_value:.3f} ({verdict} at 0.05)  [{score.signature}]"
            )
    yield f"time: {_time(first)} and {_time(second)}"
    yield f"parameters: {first.parameters:,} and {second.parameters:,}"
    yield f"step of the kept model: {_step(first)} and {_step(second)}"
    if first.outputs and second.outputs:
        for told, ngrams in zip((first, second), only_one_right(first.outputs, second.outputs), strict=True):
            listed = ", ".join(f"“{text}” {count}" for text, count in ngrams[:NGRAMS])
            yield f"only {told.name} gets right, and how much more often: {listed or 'nothing'}"
    differing = from_each_other(first.settings, second.settings)
    yield "settings that differ:" if differing else "settings that differ: none"
    for key, one, other in differing:
        yield f"  {key}: {one} and {other}"
    if first.metric != second.metric:
        yield f"note: the runs chose their models by {metric_name(first.metric)} and {metric_name(second.metric)}"


def _time(told: Told) -> str:
    return clock(told.seconds) if told.seconds else "unknown"


def _step(told: Told) -> str:
    return f"{told.best['step']:,}" if told.best else "unknown"
