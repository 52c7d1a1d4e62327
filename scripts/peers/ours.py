"""nmt, by its own update and its own search. Model R starts the decoder by a copy of the encoder's states, as
OpenNMT-py does; `nmt bench` measures it with its linear bridge."""

from pathlib import Path

import torch
from peers.work import Ids, Sizes, Work
from peers.worker import About, parameters, portions, serve
from safetensors.torch import load_file

from nmt import __version__
from nmt.benchmark import reference
from nmt.calibration_cache import for_long_work
from nmt.config import DecodingSettings, ModelSettings
from nmt.data.batch import Batch, pad_sources, pad_targets
from nmt.inference.parallel import parallel_map
from nmt.inference.search import Hypothesis, search
from nmt.kernels import using
from nmt.kernels.packed import PackedWeights, cached_packing
from nmt.model import Seq2Seq, make_model
from nmt.training.step import TrainStep


def model_settings(sizes: Sizes) -> ModelSettings:
    fields = {"embedding": sizes.embedding, "hidden": sizes.hidden, "dropout": sizes.dropout, "bridge": "copy",
              "encoder_layers": sizes.layers, "decoder_layers": sizes.layers}  # fmt: skip
    return reference().model.model_copy(update=fields)


def new_model(sizes: Sizes) -> Seq2Seq:
    return make_model(model_settings(sizes), sizes.vocab, sizes.vocab)


def training_batches(work: Work) -> list[Batch]:
    return [
        Batch(pad_sources(sources), *pad_targets(targets), sum(len(ids) + 1 for ids in targets))
        for sources, targets in work.batches
    ]


class Ours:
    precision = "auto"  # of training, as by default

    def __init__(self, work: Work, folder: Path) -> None:
        self.work = work
        self.batches = training_batches(work)
        training = reference().training.model_copy(update={"clip_norm": work.clip_norm, "precision": self.precision})
        self.train_step = TrainStep(new_model(work.sizes), training, torch.device("cpu"))
        self.translator = new_model(work.sizes).eval()
        self.translator.load_state_dict(load_file(folder / "weights.safetensors"))
        self.packed = PackedWeights()
        self.speed = for_long_work(torch.get_num_threads(), print)

    def about(self) -> About:
        return About(__version__, parameters(self.translator), self.train_step.precision)

    def train(self) -> int:
        updates = (self.train_step([batch], step, self.work.learning_rate) for step, batch in enumerate(self.batches))
        with using(self.speed):
            return sum(update.tokens for update in updates)

    def decode(self, sources: list[Ids], batch: int, beam: int) -> list[Ids]:
        """Batches side by side, as `Translator` does; but a sentence by itself is waited for, and has all threads."""
        length = self.work.length
        settings = DecodingSettings(beam_size=beam, min_length=length, max_length=length)

        def of_batch(portion: list[Ids]) -> list[Ids]:
            with cached_packing(self.packed):
                return [best.tokens for [best, *_] in self.search(portion, settings)]

        batches = portions(sources, batch)
        found = map(of_batch, batches) if batch == 1 else parallel_map(of_batch, batches, torch.device("cpu"))
        with using(self.speed):
            return [ids for portion in found for ids in portion]

    def search(self, sources: list[Ids], settings: DecodingSettings) -> list[list[Hypothesis]]:
        return search(self.translator, pad_sources(sources), settings)


if __name__ == "__main__":
    serve(Ours)
