"""Every setting: its name, type, default, unit and meaning. A default stands here and nowhere else."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from nmt.config.values import (
    MOST,
    Amount,
    Columns,
    Count,
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


class CorpusSettings(Section):
    """One parallel text, as `data.train`, `data.valid` and `data.test` list them."""

    path: str = setting("", "name of a corpus, a file, or a pattern such as part-*.tsv; relative to data.folder")
    source: str = setting("", "the file of the source side, if the two sides do not share a name")
    target: str = setting("", "the file of the target side")
    name: str = setting("", "what messages and scores call this text; by default its path")
    weight: float = setting(
        1.0, "how often its pairs come in an epoch; 0.5: half of them, 2: all of them twice", gt=0, le=1000
    )
    columns: Columns = setting([], "columns or keys of source and target in a file that holds both")
    format: str = setting("", "format of the file, if its name does not say it")

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
    folder: str = setting(".", "folder of the text; by default that of the config file", resume=True)
    source: str = setting(..., "source language: the ending of its files", min_length=1)
    target: str = setting(..., "target language: the ending of its files", min_length=1)
    train: Corpora = setting(
        [CorpusSettings(path="train")], "training text: a name (files NAME.LANGUAGE), a file, or a list of them"
    )
    valid: Corpora = setting(
        [CorpusSettings(path="valid")], "validation text; of several, the first chooses the checkpoint"
    )
    test: Corpora = setting([CorpusSettings(path="test")], "test text, scored by `nmt eval`", resume=True)
    hold_out: Amount = setting(
        0, "take this much of the training text for validation, in place of data.valid", "pairs, or a share below 1"
    )
    hold_out_test: Amount = setting(
        0, "take this much of the training text for a test set, in place of data.test", "pairs, or a share below 1"
    )
    filters: Annotated[
        list[Annotated[str, Registered("data/filters.py", "FILTERS")]],
        BeforeValidator(many),
        written_as(["array", "string"], "one or more"),
    ] = setting([], "training pairs to drop, and count, besides blank and long ones")
    source_language: str = setting("", "language of the source text, such as en; guessed if empty", resume=True)
    target_language: str = setting(
        "",
        "language of the target text, such as zh, by which scores find its words; guessed from the ending of the files "
        "or the script of the text if empty",
        resume=True,
    )
    parts: Names = setting([], "parts of a test set to score apart: STEM.PART lists 1-based line numbers", resume=True)
    references: Names = setting(
        [], "endings of further references of the test sets: STEM.ENDING, such as fr.1 for test.fr.1", resume=True
    )
    encoding: Encoding = setting(
        "auto", "encoding of text that is not UTF-8, such as windows-1252; UTF-16 and UTF-32 are recognised"
    )
    max_length: Count = setting(
        100, "training pairs with more on either side are dropped, and counted", "pieces", ge=1, le=100_000
    )


class SubwordSettings(Section):
    vocab_size: Count = setting(
        8000,
        "largest size of the vocabulary (of each of the two, if not joint); less if the text yields less",
        "pieces",
        ge=8,
        le=500_000,
    )
    model_type: Literal["unigram", "bpe", "char", "word"] = setting("unigram", "kind of SentencePiece model")
    joint: bool = setting(True, "one vocabulary for both languages")
    byte_fallback: bool = setting(True, "spell unknown characters in bytes, so that nothing is unknown")
    character_coverage: float = setting(0.9995, "share of the characters that get a piece", "share", gt=0, le=1)
    normalization: Literal["nfc", "nmt_nfkc", "nfkc", "identity"] = setting(
        "nfc",
        "Unicode normalisation of the text. nfc: keeps every difference that a reader sees, except runs of spaces; "
        "nfkc, nmt_nfkc: also replace full-width and other special forms by plain characters; identity: keeps all",
    )
    source_normalization: Literal["", "nfc", "nmt_nfkc", "nfkc", "identity"] = setting(
        "", "that of the source alone, if it is another"
    )
    target_normalization: Literal["", "nfc", "nmt_nfkc", "nfkc", "identity"] = setting(
        "", "that of the target alone, if it is another; what it replaces cannot come out of the model"
    )
    sampling: float = setting(
        0.0,
        "alpha of subword regularisation: training sentences are cut anew in every epoch; 0: never. unigram: 0.1 gives "
        "much smaller pieces, 1 hardly other ones; bpe: probability of leaving out a merge",
        ge=0,
        le=1,
    )
    sample: Count = setting(
        500_000, "sentences from all over the text to learn subwords from, at most", "sentences", ge=100, le=100_000_000
    )
    model: Names = setting([], "take these SentencePiece files (one joint, or source and target) instead of training")


class ModelSettings(Section):
    architecture: Annotated[str, Registered("model/architecture.py", "ARCHITECTURES")] = setting(
        "recurrent", "kind of model"
    )
    cell: Annotated[str, Registered("model/recurrent.py", "CELLS")] = setting("lstm", "recurrent cell")
    embedding: Count = setting(256, "size of the word embeddings", "units", ge=1, le=65_536)
    hidden: Count = setting(
        320,
        "size of an encoded token (both directions together), of the decoder's state and of a transformer's layers",
        "units",
        ge=1,
        le=65_536,
    )
    encoder_layers: Count = setting(1, "layers of the encoder", "layers", ge=1, le=64)
    decoder_layers: Count = setting(2, "layers of the decoder", "layers", ge=1, le=64)
    encoder_transitions: Count = setting(
        1, "GRUs that follow on each other in a step of the encoder", "GRUs", ge=1, le=20
    )
    decoder_transitions: Count = setting(
        1, "GRUs that follow on each other in a step of the decoder", "GRUs", ge=1, le=20
    )
    bidirectional: bool = setting(True, "the encoder also reads from right to left")
    bridge: Annotated[str, Registered("model/bridge.py", "BRIDGES")] = setting(
        "linear", "how the decoder's first state is made from the encoder"
    )
    attention: Annotated[str, Registered("model/attention.py", "ATTENTIONS")] = setting(
        "multihead", "score function of the attention"
    )
    attention_heads: Count = setting(4, "heads of multihead attention", "heads", ge=1, le=1024)
    attention_length: Count = setting(
        100, "source positions that location attention can see", "pieces", ge=1, le=100_000
    )
    attention_window: Count = setting(10, "reach of local attention to each side", "pieces", ge=1, le=100_000)
    self_attention: Literal["none", "dot", "qkv"] = setting(
        "none", "self-attention on top of the recurrent encoder: dot products, or queries, keys and values"
    )
    decoder: Annotated[str, Registered("model/decoder.py", "DECODERS")] = setting("conditional", "kind of decoder")
    input_feeding: bool = setting(True, "a luong decoder gets its last attentional state as input")
    context_everywhere: bool = setting(False, "the context enters every layer above the attention, not only the first")
    norm: Literal["pre", "post"] = setting(
        "pre", "a transformer normalises what enters each sub-layer, or the sum with what leaves it"
    )
    feed_forward: Count = setting(1024, "inner size of a transformer's feed-forward layers", "units", ge=1, le=262_144)
    tying: Literal["none", "target", "all"] = setting(
        "all", "share the generator's matrix with the target embedding, or with both embeddings (joint vocabulary)"
    )
    dropout: Share = setting(
        0.2,
        "dropout between layers and before the generator; on what leaves each sub-layer of a transformer",
        "probability",
    )
    variational: bool = setting(True, "the same dropout mask at every position of a sentence")
    embedding_dropout: Share = setting(0.2, "dropout on the embeddings", "probability")
    word_dropout: Share = setting(0.0, "whole words whose embedding becomes zero", "probability")
    residual: bool = setting(False, "add a layer's input to its output, from the second layer on")
    layer_norm: bool = setting(True, "normalise the output of each recurrent layer and of the readout")


class TrainingSettings(Section):
    # What torch takes as a seed has 64 bits, and is a million times this one (training/update.py).
    seed: Count = setting(1, "all randomness comes from it", ge=0, le=18 * 10**12)
    batch_tokens: Count = setting(
        1000, "size of a batch: sentences x the longest sentence on either side", "pieces", ge=1, le=100_000_000
    )
    batch_sentences: Count = setting(
        0, "size of a batch in sentences instead, if not 0", "sentences", ge=0, le=10_000_000
    )
    accumulate: Count = setting(1, "batches for one step", "batches", ge=1, le=1_000_000)
    optimizer: Annotated[str, Registered("training/optimizer.py", "OPTIMIZERS")] = setting("adam", "optimizer")
    learning_rate: float = setting(2e-3, "highest learning rate", gt=0, le=100)
    betas: Annotated[list[Share], Field(min_length=2, max_length=2)] = setting([0.9, 0.98], "Adam's decay rates")
    momentum: Share = setting(0.0, "momentum of SGD", "share")
    weight_decay: float = setting(0.0, "pull of the weights towards zero", ge=0, le=100)
    schedule: Annotated[str, Registered("training/schedule.py", "SCHEDULES")] = setting(
        "cosine", "course of the learning rate after the warm-up"
    )
    warmup: Count = setting(300, "steps until the learning rate is at its highest", "steps", ge=0, le=MOST)
    decay_every: Interval = setting("1e", "how often the step schedule multiplies by `decay`", "steps or epochs")
    decay: float = setting(0.5, "factor of the step and plateau schedules", gt=0, lt=1)
    plateau_patience: Count = setting(2, "validations without a better score before plateau multiplies", ge=1, le=MOST)
    min_learning_rate: float = setting(0.0, "lowest learning rate after the warm-up", ge=0, le=100)
    clip_norm: float = setting(
        1.0, "gradients of a larger norm are scaled down to it; 0 switches it off", ge=0, le=MOST
    )
    coverage_loss: float = setting(
        0.0, "weight of the loss for attending twice to the same source piece", ge=0, le=1000
    )
    guided_attention: float = setting(
        0.0,
        "weight of the loss that draws the attention towards word alignments, which are learnt from the training text; "
        "0: none",
        ge=0,
        le=1000,
    )
    label_smoothing: Share = setting(0.1, "share of the target distribution that is spread over all pieces", "share")
    ema: Share = setting(0.0, "decay per step of the moving average of the weights that is validated; 0: none", "share")
    precision: Literal["float32", "bf16", "fp16"] = setting("float32", "precision of the products (autocast)")
    hide_words: Share = setting(
        0.1,
        "a word that both sides of a pair share is made unknown, so that unknown words are copied; word models only",
        "probability",
    )
    teacher_forcing: float = setting(
        1.0,
        "probability that the next input is the reference's word and not the model's own",
        "probability",
        ge=0,
        le=1,
    )
    forcing_schedule: Annotated[str, Registered("training/forcing.py", "FORCINGS")] = setting(
        "constant", "course of that probability: constant, or from 1 down to `teacher_forcing`"
    )
    forcing_steps: Count = setting(
        1000,
        "how slowly it falls: linear ends there, exponential has 37 % left, the half of inverse_sigmoid is later",
        "steps",
        ge=1,
        le=MOST,
    )
    forcing_unit: Literal["position", "sentence"] = setting(
        "position", "what the probability decides on: each word alone, or all words of a sentence together"
    )
    teachers: Names = setting([], "other runs with the same subwords, whose probabilities this one learns")
    teacher_share: float = setting(
        0.7, "share of the target distribution that is the teachers'; the rest is the text's", "share", ge=0, le=1
    )
    start_from: str = setting("", "another run, whose weights and subwords this one starts from")
    source_vectors: str = setting(
        "", "word2vec or GloVe text file, perhaps compressed, that the source embeddings start from", resume=True
    )
    target_vectors: str = setting("", "the same for the target embeddings", resume=True)
    freeze_vectors: bool = setting(False, "embeddings that come from such a file stay as they are")
    max_time: Duration = setting(
        0.0, "train at most so long; 0: no limit", "seconds, or 90s, 20m, 2h", resume=True, ge=0, le=MOST
    )
    max_steps: Count = setting(0, "train at most so many steps; 0: no limit", "steps", resume=True, ge=0, le=MOST)
    max_epochs: Count = setting(0, "train at most so many epochs; 0: no limit", "epochs", resume=True, ge=0, le=MOST)
    validate_every: Interval = setting("1e", "how often to validate", "steps or epochs", resume=True)
    save_every: Interval = setting("1e", "how often to save", "steps or epochs", resume=True)
    log_every: Count = setting(100, "how often to log", "steps", resume=True, ge=1, le=MOST)
    validate_first: bool = setting(
        True,
        "before the first step, score the model that training starts from; of an untrained model, the loss alone",
        resume=True,
    )
    metric: Annotated[str, Registered("metrics.py", "METRICS", ("loss",))] = setting(
        "bleu",
        "validation score that decides which checkpoint is best, and drives patience and the plateau schedule; among "
        "equal scores, the loss decides",
        resume=True,
    )
    patience: Count = setting(
        0, "stop after so many validations without a better score; 0: never", resume=True, ge=0, le=MOST
    )
    keep_best: Count = setting(3, "checkpoints to keep by validation score", resume=True, ge=1, le=10_000)
    keep_last: Count = setting(1, "newest checkpoints to keep", resume=True, ge=1, le=10_000)
    average: bool = setting(
        True, "at the end, average the best checkpoints if that is better on validation", resume=True
    )
    samples: Count = setting(3, "validation sentences to show with their translation", resume=True, ge=0, le=10_000)


class DecodingSettings(Section):
    beam_size: Count = setting(5, "hypotheses kept at each position; 1 is greedy search", resume=True, ge=1, le=1000)
    length_penalty: float = setting(
        1.0, "alpha in ((5 + length) / 6) ** alpha, by which log-probabilities are divided", resume=True, ge=0, le=10
    )
    coverage_penalty: float = setting(
        0.0, "weight of the penalty for source words not attended to", resume=True, ge=0, le=1000
    )
    min_length: Count = setting(0, "shortest translation", "pieces", resume=True, ge=0, le=100_000)
    max_length: Count = setting(
        0, "longest translation; 0: as long as the training pairs suggest", "pieces", resume=True, ge=0, le=100_000
    )
    max_ratio: float = setting(
        0.0,
        "longest translation, per source piece (plus 10); 0: as long as the training pairs suggest",
        "pieces",
        resume=True,
        ge=0,
        le=1000,
    )
    allow_empty: bool = setting(False, "the translation of a line with text may be empty", resume=True)
    replace_unknown: bool = setting(
        True,
        "a word outside the vocabulary is copied from the source, instead of replaced by one inside; for vocabularies "
        "without bytes",
        resume=True,
    )
    no_repeat_ngram: Count = setting(
        0, "no n-gram of this many pieces may come twice; 0: any may", resume=True, ge=0, le=1000
    )
    batch_size: Count = setting(64, "sentences translated together", "sentences", resume=True, ge=1, le=100_000)
    window: Count = setting(2000, "lines read ahead and sorted by length", "lines", resume=True, ge=1, le=10_000_000)
    max_source: Count = setting(1000, "longer input is cut, with a warning", "pieces", resume=True, ge=1, le=100_000)


class Settings(Section):
    data: DataSettings
    subword: SubwordSettings = SubwordSettings()
    model: ModelSettings = ModelSettings()
    training: TrainingSettings = TrainingSettings()
    decoding: DecodingSettings = DecodingSettings()
    run: str = setting("", "the run directory; by default runs/NAME, after the config file's name", resume=True)
    device: Literal["auto", "cpu", "cuda", "mps"] = setting("auto", "where to compute", resume=True)
    threads: Count = setting(
        0,
        "CPU threads for training, not for translating; 0: one per core, or OMP_NUM_THREADS",
        "threads",
        resume=True,
        ge=0,
        le=1024,
    )
