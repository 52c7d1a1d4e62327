"""Every setting: its name, type, default, unit and meaning. A default stands here and nowhere else."""

from typing import Annotated, Literal

from pydantic import Field

from nmt.config.values import Count, Duration, Interval, Names, Registered, Section, Share, setting


class DataSettings(Section):
    folder: str = setting(..., "folder of the text files, each named STEM.LANGUAGE or STEM.LANGUAGE.gz", resume=True)
    source: str = setting(..., "source language: the ending of its files", min_length=1)
    target: str = setting(..., "target language: the ending of its files", min_length=1)
    train: str = setting("train", "stem of the training files")
    valid: str = setting("valid", "stem of the validation files")
    test: Names = setting(["test"], "stems of the test files, scored by `nmt eval`", resume=True)
    parts: Names = setting([], "parts of a test set to score apart: STEM.PART lists 1-based line numbers", resume=True)
    max_length: Count = setting(100, "training pairs with more on either side are dropped, and counted", "pieces", ge=1)


class SubwordSettings(Section):
    vocab_size: Count = setting(8000, "size of the vocabulary (of each of the two, if not joint)", "pieces", ge=8)
    model_type: Literal["unigram", "bpe", "char", "word"] = setting("unigram", "kind of SentencePiece model")
    joint: bool = setting(True, "one vocabulary for both languages")
    byte_fallback: bool = setting(True, "spell unknown characters in bytes, so that nothing is unknown")
    character_coverage: float = setting(0.9995, "share of the characters that get a piece", "share", gt=0, le=1)
    normalization: Literal["nmt_nfkc", "nfkc", "identity"] = setting("nmt_nfkc", "Unicode normalisation of the text")
    sampling: float = setting(
        0.0,
        "alpha of subword regularisation: training sentences are cut anew in every epoch; 0: never. unigram: 0.1 gives "
        "much smaller pieces, 1 hardly other ones; bpe: probability of leaving out a merge",
        ge=0,
        le=1,
    )
    sample: Count = setting(
        500_000, "sentences from all over the text to learn subwords from, at most", "sentences", ge=100
    )
    model: Names = setting([], "take these SentencePiece files (one joint, or source and target) instead of training")


class ModelSettings(Section):
    architecture: Annotated[str, Registered("model/architecture.py", "ARCHITECTURES")] = setting(
        "recurrent", "kind of model"
    )
    cell: Annotated[str, Registered("model/recurrent.py", "CELLS")] = setting("lstm", "recurrent cell")
    embedding: Count = setting(256, "size of the word embeddings", "units", ge=1)
    hidden: Count = setting(
        320,
        "size of an encoded token (both directions together), of the decoder's state and of a transformer's layers",
        "units",
        ge=1,
    )
    encoder_layers: Count = setting(1, "layers of the encoder", "layers", ge=1)
    decoder_layers: Count = setting(2, "layers of the decoder", "layers", ge=1)
    encoder_transitions: Count = setting(1, "GRUs that follow on each other in a step of the encoder", "GRUs", ge=1)
    decoder_transitions: Count = setting(1, "GRUs that follow on each other in a step of the decoder", "GRUs", ge=1)
    bidirectional: bool = setting(True, "the encoder also reads from right to left")
    bridge: Annotated[str, Registered("model/bridge.py", "BRIDGES")] = setting(
        "linear", "how the decoder's first state is made from the encoder"
    )
    attention: Annotated[str, Registered("model/attention.py", "ATTENTIONS")] = setting(
        "multihead", "score function of the attention"
    )
    attention_heads: Count = setting(4, "heads of multihead attention", "heads", ge=1)
    attention_length: Count = setting(100, "source positions that location attention can see", "pieces", ge=1)
    attention_window: Count = setting(10, "reach of local attention to each side", "pieces", ge=1)
    self_attention: Literal["none", "dot", "qkv"] = setting(
        "none", "self-attention on top of the recurrent encoder: dot products, or queries, keys and values"
    )
    decoder: Annotated[str, Registered("model/decoder.py", "DECODERS")] = setting("conditional", "kind of decoder")
    input_feeding: bool = setting(True, "a luong decoder gets its last attentional state as input")
    context_everywhere: bool = setting(False, "the context enters every layer above the attention, not only the first")
    norm: Literal["pre", "post"] = setting(
        "pre", "a transformer normalises what enters each sub-layer, or the sum with what leaves it"
    )
    feed_forward: Count = setting(1024, "inner size of a transformer's feed-forward layers", "units", ge=1)
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
        1000, "size of a batch: sentences x the longest sentence on either side", "pieces", ge=1
    )
    batch_sentences: Count = setting(0, "size of a batch in sentences instead, if not 0", "sentences", ge=0)
    accumulate: Count = setting(1, "batches for one step", "batches", ge=1)
    optimizer: Annotated[str, Registered("training/optimizer.py", "OPTIMIZERS")] = setting("adam", "optimizer")
    learning_rate: float = setting(2e-3, "highest learning rate", gt=0, le=100)
    betas: Annotated[list[Share], Field(min_length=2, max_length=2)] = setting([0.9, 0.98], "Adam's decay rates")
    momentum: Share = setting(0.0, "momentum of SGD", "share")
    weight_decay: float = setting(0.0, "pull of the weights towards zero", ge=0)
    schedule: Annotated[str, Registered("training/schedule.py", "SCHEDULES")] = setting(
        "cosine", "course of the learning rate after the warm-up"
    )
    warmup: Count = setting(300, "steps until the learning rate is at its highest", "steps", ge=0)
    decay_every: Interval = setting("1e", "how often the step schedule multiplies by `decay`", "steps or epochs")
    decay: float = setting(0.5, "factor of the step and plateau schedules", gt=0, lt=1)
    plateau_patience: Count = setting(2, "validations without a better score before plateau multiplies", ge=1)
    min_learning_rate: float = setting(0.0, "lowest learning rate after the warm-up", ge=0)
    clip_norm: float = setting(1.0, "gradients of a larger norm are scaled down to it; 0 switches it off", ge=0)
    coverage_loss: float = setting(0.0, "weight of the loss for attending twice to the same source piece", ge=0)
    guided_attention: float = setting(
        0.0, "weight of the loss that draws the attention towards word alignments; 0: none", ge=0, le=100
    )
    label_smoothing: Share = setting(0.1, "share of the target distribution that is spread over all pieces", "share")
    ema: Share = setting(0.0, "decay per step of the moving average of the weights that is validated; 0: none", "share")
    precision: Literal["float32", "bf16", "fp16"] = setting("float32", "precision of the products (autocast)")
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
        "", "word2vec or GloVe text file (or .gz) that the source embeddings start from", resume=True
    )
    target_vectors: str = setting("", "the same for the target embeddings", resume=True)
    freeze_vectors: bool = setting(False, "embeddings that come from such a file stay as they are")
    max_time: Duration = setting(
        0.0, "train at most so long; 0: no limit", "seconds, or 90s, 20m, 2h", resume=True, ge=0
    )
    max_steps: Count = setting(0, "train at most so many steps; 0: no limit", "steps", resume=True, ge=0)
    max_epochs: Count = setting(0, "train at most so many epochs; 0: no limit", "epochs", resume=True, ge=0)
    validate_every: Interval = setting("1e", "how often to validate", "steps or epochs", resume=True)
    save_every: Interval = setting("1e", "how often to save", "steps or epochs", resume=True)
    log_every: Count = setting(100, "how often to log", "steps", resume=True, ge=1)
    metric: Annotated[str, Registered("metrics.py", "VALIDATION_METRICS")] = setting(
        "bleu", "validation score that decides which checkpoint is best"
    )
    patience: Count = setting(0, "stop after so many validations without a better score; 0: never", resume=True, ge=0)
    keep_best: Count = setting(3, "checkpoints to keep by validation score", resume=True, ge=1)
    keep_last: Count = setting(1, "newest checkpoints to keep", resume=True, ge=1)
    average: bool = setting(
        True, "at the end, average the best checkpoints if that is better on validation", resume=True
    )
    samples: Count = setting(3, "validation sentences to show with their translation", resume=True, ge=0)


class DecodingSettings(Section):
    beam_size: Count = setting(5, "hypotheses kept at each position; 1 is greedy search", resume=True, ge=1, le=1000)
    length_penalty: float = setting(
        1.0, "alpha in ((5 + length) / 6) ** alpha, by which log-probabilities are divided", resume=True, ge=0, le=10
    )
    coverage_penalty: float = setting(0.0, "weight of the penalty for source words not attended to", resume=True, ge=0)
    min_length: Count = setting(0, "shortest translation", "pieces", resume=True, ge=0)
    max_length: Count = setting(200, "longest translation", "pieces", resume=True, ge=1)
    max_ratio: float = setting(2.0, "longest translation, per source piece (plus 10)", "pieces", resume=True, gt=0)
    no_repeat_ngram: Count = setting(0, "no n-gram of this many pieces may come twice; 0: any may", resume=True, ge=0)
    batch_size: Count = setting(64, "sentences translated together", "sentences", resume=True, ge=1)
    window: Count = setting(2000, "lines read ahead and sorted by length", "lines", resume=True, ge=1)
    max_source: Count = setting(1000, "longer input is cut, with a warning", "pieces", resume=True, ge=1)


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
    )
