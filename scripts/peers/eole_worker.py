"""Eole: the model of its builder (architecture `rnn`), trained by its own Trainer, decoded by its own Translator.

Its encoder reads padding as words (`RNNEncoder.forward` takes no notice of the mask), so that only the translations of
sentences one at a time can be those of nmt with the same weights.
"""

import math
import warnings
from importlib.metadata import version
from pathlib import Path

import torch
from peers.work import Ids, Sizes, Work, padded_sources, training_batches
from peers.worker import About, parameters, portions, serve
from safetensors.torch import load_file
from torch import Tensor

warnings.filterwarnings("ignore")  # of what it still calls, and torch deprecates

from eole.config.run import PredictConfig, TrainConfig  # noqa: E402
from eole.inputters.inputter import dict_to_vocabs  # noqa: E402
from eole.models.model import EncoderDecoderModel  # noqa: E402
from eole.predict import GNMTGlobalScorer, Translator  # noqa: E402
from eole.trainer import build_trainer  # noqa: E402
from eole.utils.logging import logger  # noqa: E402
from eole.utils.optimizers import Optimizer  # noqa: E402


class Eole:
    def __init__(self, work: Work, folder: Path) -> None:
        self.work = work
        self.config = training_config(work)
        tokens = ["<blank>", "<unk>", "<s>", "</s>", *(f"piece{id}" for id in range(4, work.sizes.vocab))]
        special = {"pad_token": "<blank>", "unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}
        self.vocabs = dict_to_vocabs({"src": tokens, "tgt": tokens, "specials": special})
        named = {"images": None, "prefix_len": None}  # which its models for pictures and prompts read
        self.batches = [
            {"src": batch.source, "srclen": batch.lengths, "tgt": batch.target, **named,
             "cid": [""] * len(batch.lengths), "cid_line_number": list(range(len(batch.lengths)))}
            for batch in training_batches(work)
        ]  # fmt: skip
        model = self.model()
        optimizer = Optimizer.from_config(model, self.config)
        self.trainer = build_trainer(self.config, -1, model, self.vocabs, optimizer)
        self.translator = self.model().eval()
        self.translator.load_state_dict(renamed(load_file(folder / "weights.safetensors"), work.sizes))

    def model(self) -> torch.nn.Module:
        model = EncoderDecoderModel.for_training(self.config.model, self.vocabs, self.config.training, device_id=-1)
        for embeddings in (model.src_emb, model.tgt_emb):
            embeddings.update_dropout(0.0)  # model R has none there
        return model

    def about(self) -> About:
        return About(version("eole"), parameters(self.translator))

    def train(self) -> int:
        counted = self.trainer.train(((batch, 0) for batch in self.batches), 0, save_checkpoint_steps=0)
        return counted.n_tokens

    def decode(self, sources: list[Ids], batch: int, beam: int) -> list[Ids]:
        options = translation_config(self.work.length, beam)
        translator = Translator(
            self.translator,
            self.vocabs,
            options,
            self.config.model,
            device_id=-1,
            global_scorer=GNMTGlobalScorer.from_config(options),
            logger=logger,
        )
        found: list[Ids] = []
        for portion in portions(sources, batch):
            source, lengths = padded_sources(portion)
            results = translator.predict_batch({"src": source, "srclen": lengths}, attn_debug=False)
            found += [best.tolist()[: self.work.length] for best, *_ in results["predictions"]]
        return found


def training_config(work: Work) -> TrainConfig:
    """As its YAML files have it."""
    sizes = work.sizes
    return TrainConfig(
        src_vocab="none",
        tgt_vocab="none",
        data={},
        model={
            "architecture": "custom",  # its `rnn` has no bidirectional encoder, whatever `encoder_type` says
            "encoder": {"encoder_type": "brnn", "rnn_type": "LSTM"},
            "decoder": {"decoder_type": "rnn", "rnn_type": "LSTM", "global_attention": "general"},
            "layers": sizes.layers,
            "hidden_size": sizes.hidden,
            "input_feed": 1,
            "embeddings": {"word_vec_size": sizes.embedding, "position_encoding_type": None},
        },
        training={
            "optim": "adam",
            "learning_rate": work.learning_rate,
            "max_grad_norm": work.clip_norm,
            "dropout": [sizes.dropout],
            "normalization": "tokens",
            "compute_dtype": "fp32",
            "world_size": 0,
            "valid_steps": 1_000_000_000,
        },
    )


def translation_config(length: int, beam: int) -> PredictConfig:
    """One more than `length`, since its longest counts the end."""
    return PredictConfig(
        model_path=["none"],
        src="none",
        beam_size=beam,
        min_length=length,
        max_length=length + 1,
        max_length_ratio=0,
        world_size=0,
    )


def renamed(weights: dict[str, Tensor], sizes: Sizes) -> dict[str, Tensor]:
    """nmt's weights under Eole's names, which are those of OpenNMT-py for all but the embeddings. What nmt multiplies
    by (its embeddings) is in the table here, the matrix of the attention stands on the other side of the product, and
    the readout sees context and state in this order."""
    scale = math.sqrt(sizes.embedding)
    state_first = weights["decoder.readout.linear.weight"]
    found = {
        "src_emb.embeddings.weight": weights["encoder.embedding.table.weight"] * scale,
        "tgt_emb.embeddings.weight": weights["target_embedding.table.weight"] * scale,
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
    serve(Eole)
