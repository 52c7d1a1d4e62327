"""The Transformer against torch's own layers, hand-computed numbers and what is special to it.

What it shares with other models is tested in test_model.py and test_search.py.
"""

import random
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nmt import config
from nmt.config import DecodingSettings, ModelSettings
from nmt.data.batch import Batch
from nmt.data.subword import BOS_ID, EOS_ID, PAD_ID
from nmt.errors import ConfigError
from nmt.inference.search import search
from nmt.model import Seq2Seq, make_model
from nmt.model.transformer import DecoderLayer, EncoderLayer, Residual, sinusoids
from nmt.training.loss import batch_loss

VOCAB = 14
CLOSE = {"rtol": 0.0, "atol": 1e-5}
SOURCE = torch.tensor([[5, 6, 7, 8, EOS_ID], [9, 4, EOS_ID, PAD_ID, PAD_ID]])
TARGET = torch.tensor([[BOS_ID, 4, 9, 10, 5], [BOS_ID, 11, 6, 4, 4]])


def settings(**changes) -> ModelSettings:
    plain = {
        "architecture": "transformer",
        "embedding": 8,
        "hidden": 8,
        "encoder_layers": 2,
        "decoder_layers": 3,
        "attention_heads": 2,
        "feed_forward": 12,
        "dropout": 0.0,
        "embedding_dropout": 0.0,
    }
    return ModelSettings(**{**plain, **changes})


def perturbed(module: nn.Module) -> nn.Module:
    """No weight or bias left at zero or one."""
    torch.manual_seed(5)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.4 * torch.randn_like(parameter))
    return module.eval()


def built(**changes) -> Seq2Seq:
    torch.manual_seed(2)
    model = make_model(settings(**changes), VOCAB, VOCAB)
    perturbed(model)
    return model


# Positions -----------------------------------------------------------------------------------------------------------


def test_sinusoids() -> None:
    expected = [  # sin(p), cos(p), sin(p / 100), cos(p / 100)
        [0.0, 1.0, 0.0, 1.0],
        [0.8414710, 0.5403023, 0.0099998, 0.9999500],
        [0.9092974, -0.4161468, 0.0199987, 0.9998000],
    ]
    found = sinusoids(0, 3, 4, torch.device("cpu"))
    torch.testing.assert_close(found, torch.tensor(expected), rtol=0.0, atol=1e-6)
    torch.testing.assert_close(sinusoids(2, 1, 4, torch.device("cpu")), found[2:])


def test_sinusoids_of_an_odd_size() -> None:
    found = sinusoids(1, 1, 3, torch.device("cpu"))  # the last is sin(10000 ** (-2 / 3)) = sin(0.00215443)
    torch.testing.assert_close(found, torch.tensor([[0.8414710, 0.5403023, 0.0021544]]), rtol=0.0, atol=1e-6)


@torch.inference_mode()
def test_the_order_of_the_source_matters() -> None:
    model = built()
    first, second = (model(source, TARGET[:1]).features for source in (SOURCE[:1], SOURCE[:1, [1, 0, 2, 3, 4]]))
    assert (first - second).abs().max() > 0.01
    model.encoder.inputs.forward = lambda embedded: embedded  # without positions it is a bag of words
    first, second = (model(source, TARGET[:1]).features for source in (SOURCE[:1], SOURCE[:1, [1, 0, 2, 3, 4]]))
    torch.testing.assert_close(first, second, **CLOSE)


# Layers --------------------------------------------------------------------------------------------------------------


def test_normalisation_before_or_after() -> None:
    tokens, found = torch.tensor([[[1.0, 3.0]]]), torch.tensor([[[5.0, 1.0]]])
    pre, post = (Residual(settings(norm=norm, hidden=2)) for norm in ("pre", "post"))
    torch.testing.assert_close(pre.enter(tokens), torch.tensor([[[-1.0, 1.0]]]), **CLOSE)
    torch.testing.assert_close(pre.leave(tokens, found), torch.tensor([[[6.0, 4.0]]]), **CLOSE)
    torch.testing.assert_close(post.enter(tokens), tokens, **CLOSE)
    torch.testing.assert_close(post.leave(tokens, found), torch.tensor([[[1.0, -1.0]]]), **CLOSE)


def copied(theirs: nn.Module, weights: dict[str, torch.Tensor]) -> nn.Module:
    """One of torch's layers with our weights; its biases, which we have not, are zero."""
    for name, parameter in theirs.named_parameters():
        nn.init.zeros_(parameter) if name not in weights else parameter.data.copy_(weights[name])
    assert set(weights) <= {name for name, _ in theirs.named_parameters()}
    return theirs.eval()


def shared(layer: EncoderLayer | DecoderLayer, norms: list[nn.LayerNorm]) -> dict[str, torch.Tensor]:
    """What torch calls the weights that both kinds of layers have."""
    return {
        "self_attn.in_proj_weight": layer.attention.project.weight,
        "self_attn.out_proj.weight": layer.attention.output.weight,
        "linear1.weight": layer.feed_forward.inner.weight,
        "linear1.bias": layer.feed_forward.inner.bias,
        "linear2.weight": layer.feed_forward.outer.weight,
        "linear2.bias": layer.feed_forward.outer.bias,
        **{f"norm{index}.weight": norm.weight for index, norm in enumerate(norms, 1)},
        **{f"norm{index}.bias": norm.bias for index, norm in enumerate(norms, 1)},
    }


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_an_encoder_layer_equals_torchs(norm: str) -> None:
    layer = perturbed(EncoderLayer(settings(norm=norm)))
    norms = [layer.attention.around.norm, layer.feed_forward.around.norm]
    theirs = copied(
        nn.TransformerEncoderLayer(8, 2, 12, dropout=0.0, batch_first=True, norm_first=norm == "pre"),
        shared(layer, norms),
    )
    tokens, mask = torch.randn(2, 5, 8), SOURCE != PAD_ID
    found, expected = layer(tokens, mask.unsqueeze(1)), theirs(tokens, src_key_padding_mask=~mask)
    torch.testing.assert_close(found[mask], expected[mask], **CLOSE)


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_a_decoder_layer_equals_torchs(norm: str) -> None:
    layer = perturbed(DecoderLayer(settings(norm=norm)))
    source = layer.source_attention
    norms = [layer.attention.around.norm, layer.around.norm, layer.feed_forward.around.norm]
    theirs = copied(
        nn.TransformerDecoderLayer(8, 2, 12, dropout=0.0, batch_first=True, norm_first=norm == "pre"),
        shared(layer, norms)
        | {
            "multihead_attn.in_proj_weight": torch.cat([source.query.weight, source.key.weight, source.value.weight]),
            "multihead_attn.out_proj.weight": source.output.weight,
        },
    )
    words, encoded, mask = torch.randn(2, 4, 8), torch.randn(2, 5, 8), SOURCE != PAD_ID
    causal = torch.ones(4, 4, dtype=torch.bool).tril()
    found, past, weights = layer(words, causal.unsqueeze(0), (), source.memory(encoded, mask))
    expected = theirs(words, encoded, tgt_mask=~causal, memory_key_padding_mask=~mask)
    torch.testing.assert_close(found, expected, **CLOSE)
    assert [part.shape for part in past] == [(4, 2, 8)] * 2
    assert weights.shape == (2, 4, 5)


# What flows where ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", ["pre", "post"])
@torch.inference_mode()
def test_later_words_change_nothing_before_them(norm: str) -> None:
    model = built(norm=norm)
    expected = model(SOURCE, TARGET)
    for position in range(1, TARGET.size(1)):
        changed = TARGET.clone()
        changed[:, position] = 13
        found = model(SOURCE, changed)
        for kind in ("features", "attention"):
            before, now = getattr(expected, kind), getattr(found, kind)
            torch.testing.assert_close(now[:, :position], before[:, :position], **CLOSE)
            assert ((now - before)[:, position:].abs().amax(dim=-1) > 1e-4).all(), "all words after it are told of it"


@torch.inference_mode()
def test_every_source_token_is_told_of_every_other() -> None:
    model, source = built(), SOURCE[:1]
    lengths = (source != PAD_ID).sum(1).tolist()
    expected, _ = model.encoder(source, source != PAD_ID, lengths)
    for position in range(source.size(1)):
        changed = source.clone()
        changed[:, position] = 13
        found, state = model.encoder(changed, source != PAD_ID, lengths)
        assert state == ()
        assert ((found - expected).abs().amax(dim=-1) > 1e-4).all()


@torch.inference_mode()
def test_memory_is_the_keys_and_values_of_all_layers() -> None:
    model = built()
    memory, state = model.encode(SOURCE)
    assert memory.keys.shape == memory.values.shape == (2, 5, 3 * 8)
    assert [part.shape for part in state] == [(0, 2, 8)] * 6
    encoded, _ = model.encoder(SOURCE, SOURCE != PAD_ID, (SOURCE != PAD_ID).sum(1).tolist())
    for index, layer in enumerate(model.decoder.layers):
        own = layer.source_attention.memory(encoded, SOURCE != PAD_ID)
        part = slice(8 * index, 8 * index + 8)
        torch.testing.assert_close(memory.keys[..., part], own.keys)
        torch.testing.assert_close(memory.values[..., part], own.values)
        assert not torch.equal(own.keys, own.values)


@torch.inference_mode()
def test_the_attention_that_is_reported_is_the_last_layers() -> None:
    model, seen = built(), []
    for layer in model.decoder.layers:
        layer.source_attention.register_forward_hook(lambda _, __, attended: seen.append(attended.weights))
    reported = model(SOURCE, TARGET).attention
    assert [torch.equal(reported, weights) for weights in seen] == [False, False, True]


@torch.inference_mode()
def test_the_state_grows_by_a_row_for_each_word() -> None:
    """So words can be read in pieces of any length."""
    model = built()
    expected = model(SOURCE, TARGET)
    memory, state = model.encode(SOURCE)
    features, read = [], 0
    for words in TARGET.split([2, 1, 2], dim=1):
        decoded = model.decoder(model.target_embedding(words), state, memory)
        state, read = decoded.state, read + words.size(1)
        assert [part.shape for part in state] == [(read, 2, 8)] * 6
        features.append(decoded.features)
    torch.testing.assert_close(torch.cat(features, dim=1), expected.features, **CLOSE)


@torch.inference_mode()
def test_the_models_own_words_as_inputs() -> None:
    """Without teacher forcing each input is the likeliest word, given those before."""
    model = built()
    found = model(SOURCE, TARGET, 0.0)
    words = TARGET[:, :1]
    for _ in range(TARGET.size(1) - 1):
        words = torch.cat([words, model.generator(model(SOURCE, words).features[:, -1:]).argmax(dim=-1)], dim=1)
    assert not torch.equal(words, TARGET)
    expected = model(SOURCE, words)
    torch.testing.assert_close(found.features, expected.features, **CLOSE)
    torch.testing.assert_close(found.attention, expected.attention, **CLOSE)


@torch.inference_mode()
def test_half_precision() -> None:
    model = built()
    expected = model.generator.log_probs(model(SOURCE, TARGET).features)
    with torch.autocast("cpu", torch.bfloat16):
        memory, state = model.encode(SOURCE)
        for position in range(TARGET.size(1)):
            found, state, attention = model.step(TARGET[:, position], state, memory)
            assert (found - expected[:, position]).abs().max() < 0.4
            assert (attention.sum(dim=-1) - 1).abs().max() < 0.02


# Dropout -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_dropout_is_on_what_leaves_a_sublayer(norm: str) -> None:
    around = Residual(settings(norm=norm, hidden=400, dropout=0.25)).train()
    torch.manual_seed(0)
    tokens, found = torch.zeros(1, 50, 400), torch.ones(1, 50, 400)
    gone = around.leave(tokens, found) <= 0  # with `post` the mean is taken away
    assert gone.float().mean().item() == pytest.approx(0.25, abs=0.02)
    assert not (gone == gone[:, :1]).all(), "at each position anew"
    assert (around.eval().leave(tokens + 1, found) == around.eval().leave(tokens + 1, found)[0, 0, 0]).all()


def test_dropout_of_words_is_drawn_at_each_position() -> None:
    model = make_model(settings(embedding=100, embedding_dropout=0.5), VOCAB, VOCAB).train()
    gone = model.target_embedding(torch.full((2, 30), 5)) == 0
    assert 0.4 < gone.float().mean() < 0.6
    assert not (gone == gone[:, :1]).all()


# Learning ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_reversal_is_learned(norm: str) -> None:
    """To write two to four digits backwards; those of the test have not been seen."""
    chance = random.Random(1)
    strings = sorted({tuple(chance.choices(range(4, VOCAB), k=chance.randint(2, 4))) for _ in range(12000)})
    chance.shuffle(strings)
    unseen, seen = strings[:200], strings[200:]
    torch.manual_seed(1)
    sizes = {"embedding": 32, "hidden": 32, "feed_forward": 64, "attention_heads": 4}
    model = make_model(settings(norm=norm, **sizes, decoder_layers=2), VOCAB, VOCAB).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3, betas=(0.9, 0.98))
    steps = 200
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 5e-3 * min(1.0, step / 30) * (1 - step / steps)
        batch = reversals(chance.sample(seen, 64))
        (batch_loss(model, batch) / batch.target_tokens).backward()
        optimizer.step()
        optimizer.zero_grad()
    model.eval()
    found = search(model, reversals(unseen).source, DecodingSettings(beam_size=2, max_length=9))
    right = sum(best.tokens == list(string[::-1]) for [best], string in zip(found, unseen, strict=True))
    assert right >= 0.97 * len(unseen), f"{right} of {len(unseen)}"


def reversals(strings: list[tuple[int, ...]]) -> Batch:
    pad = nn.utils.rnn.pad_sequence
    forwards = [torch.tensor(string) for string in strings]
    source, target_input, target_output = (
        pad([F.pad(part, (begin, 0), value=BOS_ID) for part in parts], batch_first=True, padding_value=PAD_ID)
        for begin, parts in (
            (0, [F.pad(string, (0, 1), value=EOS_ID) for string in forwards]),
            (1, [string.flip(0) for string in forwards]),
            (0, [F.pad(string.flip(0), (0, 1), value=EOS_ID) for string in forwards]),
        )
    )
    return Batch(source, target_input, target_output, sum(len(string) + 1 for string in strings))


# Settings ------------------------------------------------------------------------------------------------------------

BASE = "data: {folder: ., source: en, target: fr}\ntraining: {max_steps: 9}\nmodel:\n  architecture: transformer\n"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("cell: gru", "model.cell: has no effect unless model.architecture=recurrent; remove it"),
        ("bridge: copy", "model.bridge: has no effect unless model.architecture=recurrent; remove it"),
        ("input_feeding: true", "model.input_feeding: has no effect unless model.architecture=recurrent; remove it"),
        ("attention: additive", "model.attention: a transformer always uses multihead attention; remove it"),
    ],
)
def test_settings_of_recurrent_models_are_refused(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "a.yaml").write_text(f"{BASE}  {line}\n")
    with pytest.raises(ConfigError) as caught:
        config.load(tmp_path / "a.yaml")
    assert str(caught.value) == f"{tmp_path / 'a.yaml'}:5: {message}"


def test_settings_of_a_transformer_are_refused_without_one(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(BASE.replace("transformer", "recurrent"))
    with pytest.raises(
        ConfigError, match=r"model\.norm: has no effect unless model\.architecture=transformer; remove it"
    ):
        config.load(tmp_path / "a.yaml", ["model.norm=post"])


def test_rules_of_recurrent_models_do_not_bind_a_transformer(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(BASE)
    loaded = config.load(tmp_path / "a.yaml", ["model.decoder_layers=1", "model.attention_heads=3", "model.hidden=9"])
    model = make_model(loaded.model, VOCAB, VOCAB).eval()
    assert model(SOURCE, TARGET).features.shape == (2, 5, 9)
