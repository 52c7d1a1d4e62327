"""OpenNMT-py: the model of its builder, trained by its own Trainer, decoded by its own Translator."""

import math
import warnings
from argparse import Namespace
from importlib.metadata import version
from pathlib import Path

import torch
from peers.work import Ids, Sizes, Work, padded_sources, training_batches
from peers.worker import About, parameters, portions, serve
from safetensors.torch import load_file
from torch import Tensor

warnings.filterwarnings("ignore")  # of what it still calls, and torch deprecates

from onmt.inputters.inputter import dict_to_vocabs  # noqa: E402
from onmt.model_builder import build_model  # noqa: E402
from onmt.opts import train_opts, translate_opts  # noqa: E402
from onmt.trainer import build_trainer  # noqa: E402
from onmt.translate import GNMTGlobalScorer, Translator  # noqa: E402
from onmt.utils.optimizers import Optimizer  # noqa: E402
from onmt.utils.parse import ArgumentParser  # noqa: E402


class OpenNMT:
    def __init__(self, work: Work, folder: Path) -> None:
        self.work = work
        self.options = training_options(work)
        tokens = ["<blank>", "<unk>", "<s>", "</s>", *(f"piece{id}" for id in range(4, work.sizes.vocab))]
        self.vocabs = dict_to_vocabs({"src": tokens, "tgt": tokens, "data_task": "seq2seq"})
        self.batches = [
            {"src": batch.source.unsqueeze(-1), "srclen": batch.lengths, "tgt": batch.target.unsqueeze(-1)}
            for batch in training_batches(work)
        ]
        model = self.model()
        optimizer = Optimizer.from_opt(model, self.options)
        self.trainer = build_trainer(self.options, -1, model, self.vocabs, optimizer)
        self.translator = self.model().eval()
        weights = renamed(load_file(folder / "weights.safetensors"), work.sizes)
        generator = {name: weights.pop(f"generator.{name}") for name in ("weight", "bias")}
        self.translator.load_state_dict({"model": weights, "generator": generator})

    def model(self) -> torch.nn.Module:
        model = build_model(self.options, self.options, self.vocabs, None, -1)
        for side in (model.encoder, model.decoder):
            side.embeddings.update_dropout(0.0)  # model R has none there
        return model

    def about(self) -> About:
        return About(version("OpenNMT-py"), parameters(self.translator))

    def train(self) -> int:
        counted = self.trainer.train(((batch, 0) for batch in self.batches), 0, save_checkpoint_steps=0)
        return counted.n_words

    def decode(self, sources: list[Ids], batch: int, beam: int) -> list[Ids]:
        translator = Translator.from_opt(
            self.translator,
            self.vocabs,
            options := translation_options(self.work.length, beam),
            self.options,
            global_scorer=GNMTGlobalScorer.from_opt(options),
        )
        found: list[Ids] = []
        for portion in portions(sources, batch):
            source, lengths = padded_sources(portion)
            results = translator.translate_batch({"src": source.unsqueeze(-1), "srclen": lengths}, attn_debug=False)
            found += [best.tolist()[:-1] for [best] in results["predictions"]]
        return found


def training_options(work: Work) -> Namespace:
    """As on its command line."""
    sizes = work.sizes
    words = f"""
        -data none -src_vocab none -encoder_type brnn -decoder_type rnn -rnn_type LSTM -global_attention general
        -layers {sizes.layers} -word_vec_size {sizes.embedding} -hidden_size {sizes.hidden} -dropout {sizes.dropout}
        -optim adam -learning_rate {work.learning_rate} -max_grad_norm {work.clip_norm} -valid_steps 1000000000
    """
    parser = ArgumentParser()
    train_opts(parser)
    options = parser.parse_args(words.split())
    options.data = {}
    ArgumentParser.update_model_opts(options)
    ArgumentParser.validate_model_opts(options)
    return options


def translation_options(length: int, beam: int) -> Namespace:
    """One more than `length`, since its longest counts the end."""
    words = f"-model none -src none -gpu -1 -beam_size {beam} -min_length {length} -max_length {length + 1}"
    parser = ArgumentParser()
    translate_opts(parser)
    return parser.parse_args([*words.split(), "-max_length_ratio", "0"])


def renamed(weights: dict[str, Tensor], sizes: Sizes) -> dict[str, Tensor]:
    """nmt's weights under OpenNMT-py's names. What nmt multiplies by (its embeddings) is in the table here, the matrix
    of the attention stands on the other side of the product, and the readout sees context and state in this order."""
    scale = math.sqrt(sizes.embedding)
    table = "embeddings.make_embedding.emb_luts.0.weight"
    state_first = weights["decoder.readout.linear.weight"]
    found = {
        f"encoder.{table}": weights["encoder.embedding.table.weight"] * scale,
        f"decoder.{table}": weights["target_embedding.table.weight"] * scale,
        "decoder.attn.linear_in.weight": weights["decoder.attention.key.weight"].T.contiguous(),
        "decoder.attn.linear_out.weight": torch.cat(state_first.chunk(2, dim=1)[::-1], dim=1),
        "generator.weight": weights["generator.output.weight"],
        "generator.bias": weights["generator.output.bias"],
    }
    for layer in range(sizes.layers):
        for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            found[f"decoder.rnn.layers.{layer}.{part}"] = weights[f"decoder.rnn.layers.{layer}.{part}_l0"]
            for direction in ("", "_reverse"):
                name = f"encoder.layers.{layer}.{part}_l0{direction}"
                found[f"encoder.rnn.{part}_l{layer}{direction}"] = weights[name]
    return found


if __name__ == "__main__":
    serve(OpenNMT)
