"""Every setting: its name, type, default, unit, meaning and what it needs to have an effect.

A default stands here and nowhere else.
"""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from nmt.config.values import (
    MOST,
    Amount,
    Columns,
    Count,
    CountOrAuto,
    Duration,
    Encoding,
    Interval,
    Names,
    Registered,
    Section,
    Share,
    many,
    setting,
    written_as,
)

# What several settings need, as `needs` has it: {full key: value, or a tuple of values}.
RECURRENT = {"model.architecture": "recurrent"}
TRANSFORMER = {"model.architecture": "transformer"}
NEW_SUBWORDS: dict[str, Any] = {"subword.model": []}
WORD_MODEL = {"subword.model_type": "word"}


class CorpusSettings(Section):
    """One parallel text, as `data.train`, `data.valid` and `data.test` list them."""

    path: str = setting("", "name of a corpus, a file, or a pattern such as part-*.tsv; relative to data.folder")
    source: str = setting(
        "", "file with the source side, if the two file names do not follow the NAME.LANGUAGE pattern"
    )
    target: str = setting("", "file with the target side")
    name: str = setting("", "name of this text in messages and score tables; by default its path")
    weight: float = setting(
        1.0,
        "sampling weight: how often each pair occurs per epoch; 0.5: half of the pairs, 2: every pair twice",
        gt=0,
        le=1000,
    )
    columns: Columns = setting(
        [], "column numbers, column names or keys of source and target, in a file that holds both"
    )
    format: str = setting("", "file format, if the file name does not tell it")

    @model_validator(mode="before")
    @classmethod
    def _read_path(cls, value: Any) -> Any:
        """Read a text as the path."""
        return {"path": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check(self) -> "CorpusSettings":
        """Raise ValueError unless it names one text."""
        if bool(self.source) != bool(self.target) or bool(self.path) == bool(self.source):
            raise ValueError("must have a path, or both source and target")
        return self

    def written(self) -> str | dict[str, Any]:
        """Return the shortest form that a config can have."""
        values = self.model_dump(exclude_defaults=True)
        return self.path if values.keys() == {"path"} else values


Corpora = Annotated[
    list[CorpusSettings], BeforeValidator(many), written_as(["array", "object", "string"], "one or more texts")
]


class DataSettings(Section):
    """Say which text is read, and how."""

    folder: str = setting(".", "folder of the corpus; by default the folder of the config file", resume=True)
    source: str = setting(..., "source language: the ending of the source files, such as en", min_length=1)
    target: str = setting(..., "target language: the ending of the target files, such as fr", min_length=1)
    train: Corpora = setting(
        [CorpusSettings(path="train")], "training text: a name (files NAME.LANGUAGE), a file, or a list of these"
    )
    valid: Corpora = setting(
        [CorpusSettings(path="valid")],
        "validation text; if there are several, the scores on the first choose the best checkpoint",
        needs={"data.hold_out": 0},
    )
    test: Corpora = setting(
        [CorpusSettings(path="test")], "test text, scored by `nmt eval`", resume=True, needs={"data.hold_out_test": 0}
    )
    hold_out: Amount = setting(
        0,
        "hold out this part of the training text for validation, instead of data.valid; 0: none",
        "pairs, or a share below 1",
    )
    hold_out_test: Amount = setting(
        0,
        "hold out this part of the training text as a test set, instead of data.test; 0: none",
        "pairs, or a share below 1",
    )
    temperature: float = setting(
        1.0,
        "temperature of sampling from several training texts: a text with n pairs, times its weight, counts n ** (1 / "
        "temperature); above 1, small texts are read more often",
        gt=0,
        le=1000,
    )
    workers: Count = setting(
        1,
        "number of processes that encode the training text; the result does not depend on it",
        "processes",
        resume=True,
        ge=1,
        le=1024,
    )
    start_early: bool = setting(
        False,
        "begin training when the first training.shuffle_window pairs are encoded, and encode the rest meanwhile; the "
        "first epoch then reads the text in its order, one window of pairs after another, each shuffled",
    )
    filters: Annotated[
        list[Annotated[str, Registered("data/filters.py", "FILTERS")]],
        BeforeValidator(many),
        written_as(["array", "string"], "one or more"),
    ] = setting(
        [],
        "filters for training pairs, applied in addition to those for empty and overlong pairs; dropped pairs"
        " are counted",
    )
    source_language: str = setting("", "language code of the source text, such as en; detected if empty", resume=True)
    target_language: str = setting(
        "",
        "language code of the target text, such as zh; decides how scores split it into words; if empty, "
        "detected from the file ending or the script",
        resume=True,
    )
    parts: Names = setting(
        [],
        "subsets of a test set to score separately; the file STEM.PART lists their line numbers, from 1",
        resume=True,
    )
    references: Names = setting(
        [],
        "file endings of additional references of the test sets: STEM.ENDING, such as fr.1 for test.fr.1",
        resume=True,
    )
    encoding: Encoding = setting(
        "auto", "encoding of text that is not UTF-8, such as windows-1252; UTF-16 and UTF-32 are detected"
    )
    max_length: Count = setting(
        100,
        "maximum length of a training pair on either side; longer pairs are dropped and counted",
        "tokens",
        ge=1,
        le=100_000,
    )


class SubwordSettings(Section):
    """Say how text is cut into subwords."""

    vocab_size: Count = setting(
        8000,
        "maximum vocabulary size (of each language, if not joint); smaller if the text yields fewer subwords",
        "tokens",
        ge=8,
        le=500_000,
        needs=NEW_SUBWORDS,
    )
    model_type: Literal["unigram", "bpe", "char", "word"] = setting(
        "unigram", "type of SentencePiece model", needs=NEW_SUBWORDS
    )
    joint: bool = setting(True, "share one vocabulary between source and target", needs=NEW_SUBWORDS)
    byte_fallback: bool = setting(
        True,
        "encode unknown characters as UTF-8 bytes, so that no input token is unknown",
        needs={"subword.model_type": ("unigram", "bpe")},
    )
    character_coverage: float = setting(
        0.9995,
        "fraction of the characters of the text that the vocabulary covers",
        "fraction",
        gt=0,
        le=1,
        needs=NEW_SUBWORDS,
    )
    normalization: Literal["nfc", "nmt_nfkc", "nfkc", "identity"] = setting(
        "nfc",
        "Unicode normalization of the text. nfc: keeps every visible difference except repeated spaces; nfkc,"
        " nmt_nfkc: also map full-width and other compatibility characters to plain ones; identity: changes "
        "nothing",
        needs=NEW_SUBWORDS,
    )
    source_normalization: Literal["", "nfc", "nmt_nfkc", "nfkc", "identity"] = setting(
        "",
        "Unicode normalization of the source, if it differs from subword.normalization",
        needs=NEW_SUBWORDS,
    )
    target_normalization: Literal["", "nfc", "nmt_nfkc", "nfkc", "identity"] = setting(
        "",
        "Unicode normalization of the target, if it differs from subword.normalization; characters that it "
        "replaces can never appear in translations",
        needs=NEW_SUBWORDS,
    )
    sampling: float = setting(
        0.0,
        "subword regularization: re-segment every training sentence in each epoch; 0: off. unigram: smoothing"
        " parameter alpha (0.1 gives many short subwords, 1 stays close to the best segmentation); bpe: "
        "probability of skipping a merge (BPE-dropout)",
        ge=0,
        le=1,
        needs={"training.teachers": []},
    )
    sample: Count = setting(
        500_000,
        "maximum number of sentences, sampled evenly from the corpus, for training the subword model",
        "sentences",
        ge=100,
        le=100_000_000,
        needs=NEW_SUBWORDS,
    )
    model: Names = setting(
        [],
        "use these SentencePiece model files (one joint file, or source and target) instead of training new ones",
        needs={"training.start_from": "", "training.teachers": []},
    )


class ModelSettings(Section):
    """Describe the network."""

    architecture: Annotated[str, Registered("model/architecture.py", "ARCHITECTURES")] = setting(
        "recurrent", "model architecture"
    )
    cell: Annotated[str, Registered("model/recurrent.py", "CELLS")] = setting("lstm", "recurrent cell", needs=RECURRENT)
    embedding: Count = setting(256, "size of the token embeddings", "units", ge=1, le=65_536)
    hidden: Count = setting(
        320,
        "size of the encoder outputs (both directions together), the decoder state and the transformer layers",
        "units",
        ge=1,
        le=65_536,
    )
    encoder_layers: Count = setting(1, "number of encoder layers", "layers", ge=1, le=64)
    decoder_layers: Count = setting(2, "number of decoder layers", "layers", ge=1, le=64)
    encoder_transitions: Count = setting(
        1, "deep transition: GRUs per time step of the encoder", "GRUs", ge=1, le=20, needs={"model.cell": "gru"}
    )
    decoder_transitions: Count = setting(
        1, "deep transition: GRUs per time step of the decoder", "GRUs", ge=1, le=20, needs={"model.cell": "gru"}
    )
    bidirectional: bool = setting(True, "bidirectional encoder", needs=RECURRENT)
    bridge: Annotated[str, Registered("model/bridge.py", "BRIDGES")] = setting(
        "linear",
        "how the initial decoder state is computed from the encoder",
        needs=RECURRENT,
    )
    attention: Annotated[str, Registered("model/attention.py", "ATTENTIONS")] = setting(
        "multihead", "attention score function"
    )
    attention_heads: Count = setting(
        4,
        "number of attention heads, for multihead attention",
        "heads",
        ge=1,
        le=1024,
        needs={"model.attention": "multihead"},
    )
    attention_length: Count = setting(
        100,
        "maximum number of source positions for location attention",
        "tokens",
        ge=1,
        le=100_000,
        needs={"model.attention": "location"},
    )
    attention_window: Count = setting(
        10,
        "window of local attention: positions on each side of its center",
        "tokens",
        ge=1,
        le=100_000,
        needs={"model.attention": "local"},
    )
    self_attention: Literal["none", "dot", "qkv"] = setting(
        "none",
        "self-attention on top of the recurrent encoder: plain dot products (dot), or projected queries, keys"
        " and values (qkv)",
        needs=RECURRENT,
    )
    decoder: Annotated[str, Registered("model/decoder.py", "DECODERS")] = setting(
        "conditional", "decoder type", needs=RECURRENT
    )
    input_feeding: bool = setting(
        True,
        "input feeding for the luong decoder: the previous attentional state is part of the input",
        needs={"model.decoder": "luong"},
    )
    context_everywhere: bool = setting(
        False,
        "feed the context vector to every decoder layer above the attention, not only to the first",
        needs={"model.decoder": ("conditional", "bahdanau")},
    )
    norm: Literal["pre", "post"] = setting(
        "pre",
        "layer normalization of the transformer: before each sub-layer (pre) or after the residual sum (post)",
        needs=TRANSFORMER,
    )
    feed_forward: Count = setting(
        1024,
        "inner size of the transformer's feed-forward layers",
        "units",
        ge=1,
        le=262_144,
        needs=TRANSFORMER,
    )
    tying: Literal["none", "target", "all"] = setting(
        "all",
        "weight tying: share the output matrix with the target embedding (target), or with both embeddings "
        "(all; needs a joint vocabulary)",
    )
    dropout: Share = setting(
        0.2,
        "dropout between layers and before the output layer; in a transformer, on the output of each sub-layer",
        "probability",
    )
    variational: bool = setting(
        True, "variational dropout: use the same dropout mask at every position of a sentence", needs=RECURRENT
    )
    embedding_dropout: Share = setting(0.2, "dropout on the embeddings", "probability")
    word_dropout: Share = setting(
        0.0, "probability of dropping a whole token: its embedding becomes zero", "probability"
    )
    residual: bool = setting(
        False, "residual connections around the recurrent layers, from the second layer on", needs=RECURRENT
    )
    layer_norm: bool = setting(
        True, "layer normalization of the outputs of each recurrent layer and of the readout", needs=RECURRENT
    )


class TrainingSettings(Section):
    """Say how the weights are learnt: optimizer, schedule, limits, validation, checkpoints."""

    # What torch takes as a seed has 64 bits, and is a million times this one (training/step.py).
    seed: Count = setting(1, "random seed; all randomness derives from it", ge=0, le=18 * 10**12)
    batch_tokens: CountOrAuto = setting(
        1000,
        "batch size in padded tokens: sentences x length of the longest sentence on either side. auto (or 0): as many "
        "as fit on a CUDA device, found when a run begins and kept by it; on a CPU, a number by the size of the corpus",
        "tokens",
        ge=0,
        le=100_000_000,
        needs={"training.batch_sentences": 0},
    )
    batch_sentences: Count = setting(
        0, "batch size in sentences instead; 0: use training.batch_tokens", "sentences", ge=0, le=10_000_000
    )
    accumulate: Count = setting(1, "gradient accumulation: batches per training step", "batches", ge=1, le=1_000_000)
    shuffle_window: Count = setting(
        0,
        "number of pairs that are shuffled together, for a corpus that is too large to be shuffled as a whole; 0: all",
        "pairs",
        ge=0,
        le=10**9,
    )
    parts: Count = setting(
        0,
        "number of parts that each batch is divided into, which the processes of torchrun share; decides dropout, so "
        "that any number of processes trains the same model; 0: whole batches in one process, and under torchrun four "
        "parts per training step, or one per process if there are more",
        "parts",
        resume=True,
        ge=0,
        le=100_000,
    )
    optimizer: Annotated[str, Registered("training/optimizer.py", "OPTIMIZERS")] = setting("adam", "optimizer")
    learning_rate: float = setting(2e-3, "peak learning rate", gt=0, le=100)
    betas: Annotated[list[Share], Field(min_length=2, max_length=2)] = setting(
        [0.9, 0.98],
        "Adam's betas: decay rates of its two moment estimates",
        needs={"training.optimizer": ("adam", "adamw")},
    )
    momentum: Share = setting(0.0, "momentum of SGD", "fraction", needs={"training.optimizer": "sgd"})
    weight_decay: float = setting(0.0, "weight decay coefficient", ge=0, le=100)
    schedule: Annotated[str, Registered("training/schedule.py", "SCHEDULES")] = setting(
        "cosine", "learning rate schedule after the warm-up"
    )
    warmup: Count = setting(
        300, "linear warm-up: steps until the learning rate reaches its peak", "steps", ge=0, le=MOST
    )
    decay_every: Interval = setting(
        "1e",
        "interval of the step schedule: how often it multiplies the learning rate by training.decay",
        "steps or epochs",
        needs={"training.schedule": "step"},
    )
    decay: float = setting(
        0.5,
        "decay factor of the step and plateau schedules",
        gt=0,
        lt=1,
        needs={"training.schedule": ("step", "plateau")},
    )
    plateau_patience: Count = setting(
        2,
        "validations without improvement before the plateau schedule multiplies the learning rate by training.decay",
        ge=1,
        le=MOST,
        needs={"training.schedule": "plateau"},
    )
    min_learning_rate: float = setting(0.0, "minimum learning rate after the warm-up", ge=0, le=100)
    clip_norm: float = setting(1.0, "gradient clipping: maximum norm of the gradient; 0: no clipping", ge=0, le=MOST)
    coverage_loss: float = setting(
        0.0,
        "weight of the coverage loss, which penalizes attending to the same source token repeatedly; 0: off",
        ge=0,
        le=1000,
    )
    label_smoothing: Share = setting(
        0.1, "label smoothing: probability mass spread evenly over the vocabulary", "fraction"
    )
    ema: Share = setting(
        0.0,
        "decay per step of the exponential moving average of the weights, which is what validation scores; 0:"
        " no average",
        "fraction",
    )
    precision: Literal["auto", "float32", "bf16", "fp16"] = setting(
        "auto",
        "numeric precision of matrix products; weights, optimizer, softmax and loss are always float32. auto: bf16 "
        "where the device multiplies it natively and model.hidden is 128 or more, else float32; a run keeps the "
        "precision that it began with",
    )
    guided_attention: float = setting(
        0.0,
        "guided attention: weight of the loss that draws attention towards word alignments learnt from the training "
        "text; 0: off",
        ge=0,
        le=1000,
    )
    alignments: str = setting(
        "",
        "guided attention: file with the word alignments of the training text (Pharaoh format, `0-0 1-2`, a line for "
        "each line of the text), in place of learning them",
    )
    alignment_words: Literal["scripts", "spaces"] = setting(
        "scripts",
        "what training.alignments counts as a word: the words of `nmt align`, or what spaces separate, as in text that "
        "another tool has tokenised",
        needs_set=("training.alignments",),
    )
    hide_words: Share = setting(
        0.1,
        "probability of replacing a word that occurs on both sides of a pair by the unknown token, so that "
        "the model learns to copy unknown words; word models only",
        "probability",
        needs=WORD_MODEL,
    )
    teacher_forcing: float = setting(
        1.0,
        "scheduled sampling: final probability of feeding the decoder the reference token rather than its own"
        " prediction; 1: always the reference",
        "probability",
        ge=0,
        le=1,
    )
    forcing_schedule: Annotated[str, Registered("training/forcing.py", "FORCINGS")] = setting(
        "constant",
        "scheduled sampling: how that probability changes; constant, or falling from 1 to training.teacher_forcing",
        needs_set=("training.teacher_forcing",),
    )
    forcing_steps: Count = setting(
        1000,
        "scheduled sampling: time constant k of the schedule; linear reaches the final probability at step k,"
        " exponential has decayed to 37 % by step k, inverse_sigmoid is half-way at step k ln k",
        "steps",
        ge=1,
        le=MOST,
        needs={"training.forcing_schedule": ("linear", "exponential", "inverse_sigmoid")},
    )
    forcing_unit: Literal["position", "sentence"] = setting(
        "position",
        "scheduled sampling: decide for each position separately, or once per sentence",
        needs_set=("training.teacher_forcing",),
    )
    teachers: Names = setting([], "knowledge distillation: teacher runs, which must have the same subwords as this one")
    teacher_share: float = setting(
        0.7,
        "knowledge distillation: weight of the teachers' distribution in the training target; the reference "
        "gets the rest",
        "fraction",
        ge=0,
        le=1,
        needs_set=("training.teachers",),
    )
    start_from: str = setting("", "fine-tuning: run whose weights and subwords initialize this one")
    source_vectors: str = setting(
        "",
        "pretrained word vectors (word2vec or GloVe text file, optionally compressed) that initialize the "
        "source embeddings",
        resume=True,
        needs=WORD_MODEL,
    )
    target_vectors: str = setting(
        "", "pretrained word vectors that initialize the target embeddings", resume=True, needs=WORD_MODEL
    )
    freeze_vectors: bool = setting(
        False,
        "freeze the embeddings that pretrained word vectors initialized",
        needs_set=("training.source_vectors", "training.target_vectors"),
    )
    max_time: Duration = setting(
        0.0, "maximum training time; 0: no limit", "seconds, or 90s, 20m, 2h", resume=True, ge=0, le=MOST
    )
    max_steps: Count = setting(0, "maximum number of training steps; 0: no limit", "steps", resume=True, ge=0, le=MOST)
    max_epochs: Count = setting(0, "maximum number of epochs; 0: no limit", "epochs", resume=True, ge=0, le=MOST)
    validate_every: Interval = setting("1e", "interval between validations", "steps or epochs", resume=True)
    save_every: Interval = setting("1e", "interval between checkpoints", "steps or epochs", resume=True)
    log_every: Count = setting(100, "interval between log lines", "steps", resume=True, ge=1, le=MOST)
    validate_first: bool = setting(
        True,
        "validate the initial model before the first step; for randomly initialized models, only the loss is computed",
        resume=True,
    )
    metric: Annotated[str, Registered("metrics.py", "METRICS", ("loss",))] = setting(
        "bleu",
        "validation metric that chooses the best checkpoint and drives early stopping and the plateau "
        "schedule; ties are broken by the loss",
        resume=True,
    )
    patience: Count = setting(
        0, "early stopping: stop after this many validations without improvement; 0: never", resume=True, ge=0, le=MOST
    )
    keep_best: Count = setting(
        3, "number of checkpoints to keep with the best validation scores", resume=True, ge=1, le=10_000
    )
    keep_last: Count = setting(1, "number of most recent checkpoints to keep", resume=True, ge=1, le=10_000)
    average: bool = setting(
        True,
        "checkpoint averaging: at the end of training, average the best checkpoints if that improves the "
        "validation score",
        resume=True,
    )
    samples: Count = setting(
        3, "number of validation sentences to show with their translations", resume=True, ge=0, le=10_000
    )
    snapshots: Count = setting(
        0,
        "number of snapshots of the weights to keep from all over training, in 16 bits, so that `nmt serve` can show "
        "how a translation was learnt; 0: none",
        "snapshots",
        resume=True,
        ge=0,
        le=50,
    )
    track: Annotated[
        list[Annotated[str, Registered("training/track.py", "TRACKERS")]],
        BeforeValidator(many),
        written_as(["array", "string"], "one or more"),
    ] = setting([], "trackers that receive what metrics.jsonl records, while training runs", resume=True)


class DecodingSettings(Section):
    """Say how translations are searched for."""

    beam_size: Count = setting(
        5, "beam size: hypotheses kept at each position; 1 is greedy search", resume=True, ge=1, le=1000
    )
    length_penalty: float = setting(
        1.0,
        "length penalty alpha: log-probabilities are divided by ((5 + length) / 6) ** alpha (Wu et al. 2016)",
        resume=True,
        ge=0,
        le=10,
    )
    coverage_penalty: float = setting(
        0.0,
        "weight of the coverage penalty for source tokens that received little attention (Wu et al. 2016)",
        resume=True,
        ge=0,
        le=1000,
    )
    link_share: float = setting(
        1.0,
        "word alignment: a target word is also linked to a source word that gets this share of its largest attention "
        "weight; 1: only to the largest",
        "fraction",
        resume=True,
        gt=0,
        le=1,
    )
    min_length: Count = setting(0, "minimum length of a translation", "tokens", resume=True, ge=0, le=100_000)
    max_length: Count = setting(
        0,
        "maximum length of a translation; 0: derived from the training pairs",
        "tokens",
        resume=True,
        ge=0,
        le=100_000,
    )
    max_ratio: float = setting(
        0.0,
        "maximum length of a translation per source token (plus 10); 0: derived from the training pairs",
        "tokens",
        resume=True,
        ge=0,
        le=1000,
    )
    allow_empty: bool = setting(False, "allow an empty translation of a line that has text", resume=True)
    precision: Literal["auto", "float32", "bf16", "int8"] = setting(
        "float32",
        "numeric precision of matrix products in translation; probabilities are always float32. auto: the fastest of "
        "those that the device multiplies natively if model.hidden is 128 or more, else float32; int8: 8-bit weights, "
        "on CPUs with VNNI. A run exported in 8 bits stays so",
        resume=True,
    )
    replace_unknown: bool = setting(
        True,
        "copy words outside the vocabulary from the source instead of translating them by words inside it; "
        "for vocabularies without byte fallback",
        resume=True,
    )
    no_repeat_ngram: Count = setting(
        0, "forbid repeating an n-gram of this many tokens; 0: off", resume=True, ge=0, le=1000
    )
    batch_size: Count = setting(
        64, "number of sentences translated together", "sentences", resume=True, ge=1, le=100_000
    )
    window: Count = setting(
        2000, "number of lines read ahead and sorted by length", "lines", resume=True, ge=1, le=10_000_000
    )
    max_source: Count = setting(
        1000,
        "maximum length of a source line; longer input is truncated, with a warning",
        "tokens",
        resume=True,
        ge=1,
        le=100_000,
    )


class Settings(Section):
    """Hold everything that a config file can set, one attribute per section."""

    data: DataSettings
    subword: SubwordSettings = SubwordSettings()
    model: ModelSettings = ModelSettings()
    training: TrainingSettings = TrainingSettings()
    decoding: DecodingSettings = DecodingSettings()
    run: str = setting(
        "", "run directory; by default runs/NAME, where NAME is the name of the config file", resume=True
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = setting("auto", "device to compute on", resume=True)
    threads: Count = setting(
        0,
        "number of CPU threads for training, not translation; 0: OMP_NUM_THREADS, or one per core within the CPU limit",
        "threads",
        resume=True,
        ge=0,
        le=1024,
    )
