"""Rules that involve several settings."""

from collections.abc import Container

from nmt.config.full_keys import field, get, needs, needs_set, obstacle
from nmt.config.tree import Settings
from nmt.languages import check_language

# Attentions that no word alignment can guide, and why.
NOT_GUIDED = {
    "none": "there is no attention to guide",
    "hard": "needs weights that change smoothly, and a hard attention takes one position",
    "location": "needs an attention that reads the source, and a location attention sees positions alone",
    "local": "needs an attention to all positions, and a local attention sees a window",
}

Rule = tuple[bool, str, str]  # whether it is broken, the key to change, the message


def broken_rules(settings: Settings, given: Container[str]) -> list[tuple[str, str]]:
    """Return (key to change, message) for each broken rule; `given` are the keys that the user set."""
    problems = []
    for key in needs():
        if key in given and (needed := obstacle(settings, key)):
            ruler, values = needed
            wanted = " or ".join(
                f"{ruler} is left out" if value in ("", []) else f"{ruler}={value}" for value in values
            )
            problems.append((key, f"has no effect unless {wanted}; remove it"))
    for key, rulers in needs_set().items():
        if get(settings, key) != field(key).default and all(get(settings, r) == field(r).default for r in rulers):
            default = field(rulers[0]).default  # of a number, the highest value that it can have
            lower = f"unless {rulers[0]} is less than {default:g}" if isinstance(default, float) else ""
            unset = lower or f"without {' or '.join(rulers)}"
            problems.append((key, f"has no effect {unset}; remove it"))
    rules = _data_rules(settings) + _early_rules(settings) + _model_rules(settings) + _course_rules(settings)
    return problems + [(key, message) for broken, key, message in rules if broken]


def _data_rules(settings: Settings) -> list[Rule]:
    data, subword = settings.data, settings.subword
    weighted = next((key for key in ("valid", "test") for text in getattr(data, key) if text.weight != 1), "valid")
    joint = len(subword.model) == 1 if subword.model else subword.joint
    languages = []
    for key in ("source_language", "target_language"):
        if code := getattr(data, key):
            try:
                check_language(code)
            except ValueError as error:
                languages.append((True, f"data.{key}", str(error)))
    return [
        *languages,
        (
            any(text.weight != 1 for text in [*data.valid, *data.test]),
            f"data.{weighted}",
            "a weight has an effect only in data.train; remove it",
        ),
        (
            data.temperature != 1 and len(data.train) == 1,
            "data.temperature",
            "has no effect on a single training text; remove it",
        ),
        (data.source == data.target, "data.target", "is the same as data.source; name the other language"),
        (
            subword.sampling > 0 and not subword.model and subword.model_type not in {"unigram", "bpe"},
            "subword.sampling",
            f"a {subword.model_type} model segments every sentence in one way only; remove it",
        ),
        (len(subword.model) > 2, "subword.model", "takes one file, or two (source, target)"),
        (
            settings.model.tying == "all" and not joint,
            "model.tying",
            "all needs a joint vocabulary; set model.tying=target or model.tying=none",
        ),
    ]


def _early_rules(settings: Settings) -> list[Rule]:
    """Refuse what `data.start_early` cannot be combined with, since it needs the whole text before the first step."""
    if not settings.data.start_early:
        return []
    data, training = settings.data, settings.training
    held_out = "hold_out" if data.hold_out else "hold_out_test"
    intervals = ["validate_every", "save_every"] + ["decay_every"] * (training.schedule == "step")
    partial = [
        (key, value)
        for key in intervals
        if (value := getattr(training, key)).endswith("e") and float(value[:-1]) % 1 != 0
    ]
    or_not = "or remove data.start_early"
    return [
        (
            not training.shuffle_window,
            "data.start_early",
            "needs training.shuffle_window, the number of pairs to begin with; set training.shuffle_window=1000000",
        ),
        (
            len(data.train) > 1,
            "data.start_early",
            f"needs one training text, and data.train has {len(data.train)}; name the files with one pattern, such as "
            "data.train=part-*.tsv, or remove it",
        ),
        (
            len(data.train) == 1 and data.train[0].weight != 1,
            "data.start_early",
            "needs a training text of weight 1; remove the weight in data.train, or remove this",
        ),
        (
            bool(data.hold_out or data.hold_out_test),
            "data.start_early",
            f"data.{held_out} chooses pairs from the whole text; name files in data.valid and data.test instead, or "
            "remove this",
        ),
        (
            not (training.batch_tokens or training.batch_sentences),
            "training.batch_tokens",
            f"auto depends on the whole text; set a number, such as training.batch_tokens=4000, {or_not}",
        ),
        (
            training.guided_attention > 0,
            "training.guided_attention",
            f"needs the word alignments of the whole text; remove it, {or_not}",
        ),
        (
            bool(training.teachers),
            "training.teachers",
            f"their distributions are computed for the whole text before training; remove them, {or_not}",
        ),
        (
            training.schedule == "cosine" and training.max_epochs > 0,
            "training.schedule",
            "cosine needs the length of an epoch, which is unknown during the first one with data.start_early; set "
            "training.max_steps in place of training.max_epochs, or training.schedule=inverse_sqrt",
        ),
        *(
            (
                True,
                f"training.{key}",
                f"{value} is a fraction of an epoch, whose length is unknown during the first one with "
                f"data.start_early; set a number of steps, such as training.{key}=5000",
            )
            for key, value in partial
        ),
    ]


def _model_rules(settings: Settings) -> list[Rule]:
    model = settings.model
    recurrent = model.architecture == "recurrent"
    # The largest number of heads, at most as many as asked for, that can share the units.
    heads = next(count for count in range(model.attention_heads, 0, -1) if model.hidden % count == 0)
    return [
        (
            recurrent and model.bidirectional and model.hidden % 2 == 1,
            "model.hidden",
            f"must be even for a bidirectional encoder; set model.hidden={model.hidden + 1}",
        ),
        (
            model.attention == "multihead" and model.hidden % model.attention_heads != 0,
            "model.attention_heads",
            f"{model.attention_heads} heads cannot share model.hidden={model.hidden}; "
            f"set model.attention_heads={heads}",
        ),
        (
            recurrent and model.bridge == "copy" and model.encoder_layers != model.decoder_layers,
            "model.bridge",
            "copy needs as many encoder layers as decoder layers "
            f"({model.encoder_layers} and {model.decoder_layers}); set model.bridge=linear or model.bridge=mean",
        ),
        (
            recurrent and model.decoder == "conditional" and model.decoder_layers < 2,
            "model.decoder_layers",
            "a conditional decoder attends between its first layer and the others; set model.decoder_layers=2",
        ),
        (
            model.attention == "none" and settings.decoding.coverage_penalty > 0,
            "decoding.coverage_penalty",
            "needs a model with attention; remove it",
        ),
        (
            model.attention == "none" and settings.training.coverage_loss > 0,
            "training.coverage_loss",
            "needs a model with attention; remove it",
        ),
        (
            settings.training.guided_attention > 0 and model.attention in NOT_GUIDED,
            "training.guided_attention",
            f"{NOT_GUIDED.get(model.attention)} (model.attention={model.attention}); set training.guided_attention=0",
        ),
        (
            settings.training.guided_attention > 0 and settings.subword.sampling > 0,
            "training.guided_attention",
            "needs the same tokens in every epoch; set training.guided_attention=0 or subword.sampling=0",
        ),
        (
            bool(settings.training.alignments) and len(settings.data.train) > 1,
            "training.alignments",
            "belongs to one training text, and data.train has several; join them into one",
        ),
        (
            model.architecture == "transformer" and model.attention != "multihead",
            "model.attention",
            "a transformer always uses multihead attention; remove it",
        ),
    ]


def _course_rules(settings: Settings) -> list[Rule]:
    training, decoding = settings.training, settings.decoding
    end = training.max_time or training.max_steps or training.max_epochs
    return [
        (
            training.min_learning_rate > training.learning_rate,
            "training.min_learning_rate",
            f"{training.min_learning_rate:g} is more than training.learning_rate={training.learning_rate:g}; "
            "set it lower",
        ),
        (
            0 < decoding.max_length < decoding.min_length,
            "decoding.min_length",
            f"{decoding.min_length} is more than decoding.max_length={decoding.max_length}; set it lower",
        ),
        (
            not (end or training.patience),
            "training",
            "has no limit; set training.max_time=20m, or max_steps, max_epochs or patience",
        ),
        (
            bool(training.target_vectors) and settings.model.tying == "all",
            "training.target_vectors",
            "with model.tying=all both languages share one embedding table, which training.source_vectors initializes; "
            "remove this, or set model.tying=target",
        ),
        (
            training.schedule == "cosine" and bool(training.patience) and not end,
            "training.schedule",
            "cosine needs a training limit; set training.max_time, max_steps or max_epochs",
        ),
    ]
