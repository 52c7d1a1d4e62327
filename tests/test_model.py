"""Properties of the whole model, over every combination of cell, attention, decoder and direction.

The tables are read, so a newly registered attention, cell, decoder or bridge is tested by its registration alone.
"""

import functools
import itertools

import pytest
import torch
import torch.nn.functional as F

from nmt.config import ModelSettings
from nmt.data.subword import BOS_ID, EOS_ID, PAD_ID
from nmt.model import Seq2Seq, make_model
from nmt.model.attention import ATTENTIONS
from nmt.model.bridge import BRIDGES
from nmt.model.cells import Stepped
from nmt.model.decoder import DECODERS, Decoded
from nmt.model.recurrent import CELLS, Recurrent, make_layer

VOCAB = 12
CLOSE = {"rtol": 0.0, "atol": 1e-5}


def settings(**changes) -> ModelSettings:
    plain = {
        "attention_length": 6,
        "attention_window": 1,
        "embedding": 6,
        "hidden": 8,
        "attention_heads": 2,
        "attention": "dot",
        "tying": "none",
        "dropout": 0.0,
        "embedding_dropout": 0.0,
        "layer_norm": False,
    }
    return ModelSettings(**{**plain, **changes})


def combinations() -> dict[str, ModelSettings]:
    """Every combination, and after them the variants that do not interact with all of it."""
    cases: dict[str, ModelSettings] = {}

    def add(**changes) -> None:
        cases["-".join(f"{value}" if isinstance(value, str) else f"{k}={value}" for k, value in changes.items())] = (
            settings(**changes)
        )

    stepped = [cell for cell in CELLS if isinstance(make_layer(cell, 1, 1), Stepped)]
    library = [{"cell": cell} for cell in CELLS if cell not in stepped]
    loops = [*({"cell": cell} for cell in stepped), {"cell": "gru", "encoder_transitions": 2, "decoder_transitions": 3}]
    for cells, attentions in ((library, ATTENTIONS), (loops, ("none", "coverage"))):
        for cell, attention, decoder, bidirectional in itertools.product(cells, attentions, DECODERS, (True, False)):
            for feeding in (True, False) if decoder == "luong" else (True,):
                add(**cell, attention=attention, decoder=decoder, bidirectional=bidirectional, input_feeding=feeding)
    for cell, decoder in itertools.product(loops, ("conditional", "bahdanau")):
        add(**cell, context_everywhere=True, decoder=decoder, encoder_layers=3, decoder_layers=3, residual=True)
    for kind, decoder in itertools.product(("dot", "qkv"), DECODERS):
        add(self_attention=kind, decoder=decoder)
    for decoder in ("conditional", "bahdanau"):
        add(context_everywhere=True, decoder=decoder, decoder_layers=3, residual=True)
    for bridge, cell, decoder in itertools.product(BRIDGES, CELLS, DECODERS):
        add(bridge=bridge, cell=cell, decoder=decoder, encoder_layers=2, decoder_layers=2)
    for residual, layer_norm, decoder in itertools.product((True, False), (True, False), DECODERS):
        add(residual=residual, layer_norm=layer_norm, decoder=decoder, encoder_layers=3, decoder_layers=3)
    for tying, decoder in itertools.product(("none", "target", "all"), DECODERS):
        add(tying=tying, decoder=decoder, cell="gru", attention="additive")
    for decoder in (name for name in DECODERS if name != "conditional"):
        add(decoder=decoder, decoder_layers=1)
    transformer = {"architecture": "transformer", "attention": "multihead", "feed_forward": 10}
    for norm, layers in itertools.product(("pre", "post"), (1, 2, 3)):
        add(**transformer, norm=norm, encoder_layers=layers, decoder_layers=layers)
    for tying, embedding in itertools.product(("none", "target", "all"), (6, 8)):  # 8: as the layers are
        add(**transformer, tying=tying, embedding=embedding)
    return cases


CASES = combinations()
every_case = pytest.mark.parametrize("case", CASES)


@functools.cache
@torch.inference_mode(mode=False)
def built(case: str) -> Seq2Seq:
    """In evaluation mode, and with no weight, bias or embedding of padding left at zero or one."""
    torch.manual_seed(7)
    model = make_model(CASES[case], VOCAB, VOCAB).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.4 * torch.randn_like(parameter))
    return model


# A sentence of the end alone, and one whose target is empty, are among them.
SOURCE = torch.tensor([[5, 6, 7, 8, EOS_ID], [9, 4, EOS_ID, 0, 0], [EOS_ID, 0, 0, 0, 0], [7, 7, 10, EOS_ID, 0]])
TARGET = torch.tensor([[BOS_ID, 4, 9], [BOS_ID, 11, 0], [BOS_ID, 0, 0], [BOS_ID, 6, 6]])
REAL = TARGET != PAD_ID


@functools.cache
@torch.inference_mode()
def decoded(case: str) -> Decoded:
    return built(case)(SOURCE, TARGET)


def log_probs(model: Seq2Seq, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return model.generator.log_probs(model(source, target).features)


@every_case
@torch.inference_mode()
def test_padding_changes_nothing(case: str) -> None:
    model = built(case)
    expected = model.generator.log_probs(decoded(case).features)
    padded = log_probs(model, F.pad(SOURCE, (0, 3)), F.pad(TARGET, (0, 2)))
    assert padded.isfinite().all()
    torch.testing.assert_close(padded[:, : TARGET.size(1)][REAL], expected[REAL], **CLOSE)
    alone = log_probs(model, SOURCE[1:2, :3], TARGET[1:2, :2])[0]
    torch.testing.assert_close(expected[1, :2], alone, **CLOSE)


@every_case
@torch.inference_mode()
def test_order_of_the_batch_changes_nothing(case: str) -> None:
    model, order = built(case), torch.tensor([2, 0, 3, 1])
    expected = model.generator.log_probs(decoded(case).features)[order]
    found = log_probs(model, SOURCE[order], TARGET[order])
    torch.testing.assert_close(found[REAL[order]], expected[REAL[order]], **CLOSE)


@every_case
@torch.inference_mode()
def test_forward_equals_stepping(case: str) -> None:
    model = built(case)
    known = decoded(case)
    expected = model.generator.log_probs(known.features)
    torch.testing.assert_close(expected.exp().sum(dim=-1), torch.ones(TARGET.shape), **CLOSE)
    memory, state = model.encode(SOURCE)
    for position in range(TARGET.size(1)):
        found, state, attention = model.step(TARGET[:, position], state, memory)
        torch.testing.assert_close(found, expected[:, position], **CLOSE)
        torch.testing.assert_close(attention, known.attention[:, position], **CLOSE)
    for found_part, part in zip(state, known.state, strict=True):
        torch.testing.assert_close(found_part, part, **CLOSE)


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_without_gradients_few_pairs_of_positions_are_in_memory(
    attention: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is read one position after the other is what all of them read at once."""
    case = f"lstm-{attention}-conditional-bidirectional=True-input_feeding=True"
    model, read = built(case), []
    kind, expected = type(model.decoder.attention), decoded(case)
    attend = kind.attend

    def noted(self, query: torch.Tensor, *rest: object) -> tuple[torch.Tensor, torch.Tensor]:
        read.append(query.size(1))
        return attend(self, query, *rest)

    monkeypatch.setattr(kind, "attend", noted)
    monkeypatch.setattr("nmt.model.memory.AT_ONCE", 1)
    with torch.inference_mode():
        found = model(SOURCE, TARGET)
    torch.testing.assert_close(found.features, expected.features, **CLOSE)
    torch.testing.assert_close(found.attention, expected.attention, **CLOSE)
    assert set(read) <= {1}
    assert read or attention == "coverage"  # which reads one at a time anyhow
    model(SOURCE, TARGET)
    assert set(read) <= {1, TARGET.size(1)}
    assert read[-1:] in ([], [TARGET.size(1)])


@every_case
@torch.inference_mode()
def test_attention_is_a_distribution_over_real_tokens(case: str) -> None:
    attention = decoded(case).attention
    if CASES[case].attention == "none":
        assert not attention.any()
        return
    assert (attention >= 0).all()
    padding = (SOURCE == PAD_ID).unsqueeze(1).expand_as(attention)
    assert (attention[padding] == 0).all()
    torch.testing.assert_close(attention.sum(dim=-1), torch.ones(TARGET.shape), **CLOSE)


@every_case
@torch.inference_mode()
def test_rows_of_a_beam_equal_sentences_of_their_own(case: str) -> None:
    """Three rows per sentence, against a memory that is not copied; and the shape of the state."""
    model, chosen = built(case), CASES[case]
    memory, state = model.encode(SOURCE)
    for part in state:
        assert part.dim() == 3 and part.size(1) == len(SOURCE)
        if chosen.architecture == "transformer":
            assert part.shape[::2] == (0, chosen.hidden), "no position is known yet"
            continue
        assert part.size(0) in {chosen.decoder_layers, 1}  # 1: what input feeding or the attention carries along
        assert part.size(2) in {chosen.hidden, SOURCE.size(1)}
    tokens = torch.tensor([[4, 5, 6], [7, 8, 9], [10, 11, 4], [3, 6, 5]])
    beam_state = tuple(part.repeat_interleave(3, dim=1) for part in state)
    first, beam_state, _ = model.step(tokens.flatten(), beam_state, memory)
    second, beam_state, weights = model.step(tokens.flip(1).flatten(), beam_state, memory)
    assert all(part.size(1) == tokens.numel() for part in beam_state)
    own_memory, own_state = model.encode(SOURCE.repeat_interleave(3, dim=0))
    expected, own_state, _ = model.step(tokens.flatten(), own_state, own_memory)
    torch.testing.assert_close(first, expected, **CLOSE)
    expected, own_state, own_weights = model.step(tokens.flip(1).flatten(), own_state, own_memory)
    torch.testing.assert_close(second, expected, **CLOSE)
    torch.testing.assert_close(weights, own_weights, **CLOSE)
    for beam_part, part in zip(beam_state, own_state, strict=True):
        torch.testing.assert_close(beam_part, part, **CLOSE)


@every_case
def test_gradients_reach_every_parameter(case: str) -> None:
    model, chosen = built(case), CASES[case]
    model.zero_grad(set_to_none=True)
    model.train()
    try:
        features = model(SOURCE, TARGET).features[REAL]
    finally:
        model.eval()
    F.cross_entropy(model.generator(features), torch.arange(len(features)) % VOCAB).backward()
    unreached = {
        name
        for name, parameter in model.named_parameters()
        if parameter.grad is None or parameter.grad.abs().max() < 1e-8
    }
    assert unreached == _without_effect(chosen)


def _without_effect(chosen: ModelSettings) -> set[str]:
    """Without attention nothing reads the encoded tokens, only the state under the top layer's normalisation."""
    if chosen.attention == "none" and chosen.layer_norm and chosen.bridge != "mean":
        top = chosen.encoder_layers - 1
        return {f"encoder.norms.{top}.weight", f"encoder.norms.{top}.bias"}
    return set()


# What flows where --------------------------------------------------------------------------------------------------


def stepped(model: Seq2Seq) -> tuple[list[torch.Tensor], list[torch.Tensor], list[torch.Tensor], list[torch.Tensor]]:
    """At each position: the queries, the inputs of the first layer, the top layer's states after it, the features."""
    queries, inputs, tops, features = [], [], [], []
    first = next(module for module in model.decoder.modules() if isinstance(module, Recurrent)).layers[0]
    handles = [
        model.decoder.attention.register_forward_pre_hook(lambda _, given: queries.append(given[0][:, 0])),
        first.register_forward_pre_hook(lambda _, given: inputs.append(given[0][:, 0])),
    ]
    memory, state = model.encode(SOURCE)
    tops.append(state[0][1])
    for position in range(TARGET.size(1)):
        step = model.decoder(model.target_embedding(TARGET[:, position : position + 1]), state, memory)
        state = step.state
        tops.append(state[0][1])
        features.append(step.features[:, 0])
    for handle in handles:
        handle.remove()
    return queries, inputs, tops, features


@torch.inference_mode()
def test_a_bahdanau_decoder_attends_with_the_top_layers_state_before_the_word() -> None:
    queries, _, tops, _ = stepped(perturbed(decoder="bahdanau", cell="gru"))
    for query, top in zip(queries, tops[:-1], strict=True):
        torch.testing.assert_close(query, top)


@torch.inference_mode()
def test_a_luong_decoder_attends_with_the_top_layers_state_after_the_word() -> None:
    queries, _, tops, _ = stepped(perturbed(decoder="luong", cell="gru"))
    for query, top in zip(queries, tops[1:], strict=True):
        torch.testing.assert_close(query, top)


@torch.inference_mode()
def test_input_feeding_puts_the_last_features_beside_the_word() -> None:
    model = perturbed(decoder="luong", input_feeding=True)
    _, inputs, _, features = stepped(model)
    assert not inputs[0][:, 6:].any(), "nothing to feed at first"
    for position in range(1, TARGET.size(1)):
        torch.testing.assert_close(
            inputs[position][:, :6], model.target_embedding(TARGET[:, position : position + 1])[:, 0]
        )
        torch.testing.assert_close(inputs[position][:, 6:], features[position - 1])
    _, inputs, _, _ = stepped(perturbed(decoder="luong", input_feeding=False))
    assert inputs[0].size(1) == 6


@torch.inference_mode()
def test_a_conditional_decoder_attends_with_the_first_layer() -> None:
    model = perturbed(decoder="conditional", cell="gru")
    queries, _, _, _ = stepped(model)
    memory, state = model.encode(SOURCE)
    for position, query in enumerate(queries):
        state = model.decoder(model.target_embedding(TARGET[:, position : position + 1]), state, memory).state
        torch.testing.assert_close(query, state[0][0])


@pytest.mark.parametrize("bidirectional", [True, False])
@torch.inference_mode()
def test_encoded_padding_is_zero(bidirectional: bool) -> None:
    model = perturbed(bidirectional=bidirectional, layer_norm=True, encoder_layers=2)
    encoded, _ = model.encoder(SOURCE, SOURCE != PAD_ID, (SOURCE != PAD_ID).sum(1).tolist())
    assert not encoded[SOURCE == PAD_ID].any()
    assert (encoded[SOURCE != PAD_ID] != 0).all()


# Dropout -------------------------------------------------------------------------------------------------------------

LOOPS = {
    "luong-feeding": {"decoder": "luong", "input_feeding": True},
    "luong": {"decoder": "luong", "input_feeding": False},
    **{name: {"decoder": name} for name in DECODERS if name != "luong"},
}


def inputs_of_layers(model: Seq2Seq, teacher_forcing: float) -> dict[str, torch.Tensor]:
    """What each recurrent layer of the decoder and the generator get at every position: (rows, positions, units)."""
    seen: dict[str, list[torch.Tensor]] = {}
    handles = []
    for name, module in model.decoder.named_modules():
        if isinstance(module, Recurrent):
            for index, layer in enumerate(module.layers):

                def note(_: object, inputs: tuple, key: str = f"{name}.{index}") -> None:
                    seen.setdefault(key, []).append(inputs[0].detach())

                handles.append(layer.register_forward_pre_hook(note))
    features = model(SOURCE, TARGET, teacher_forcing).features.detach()
    for handle in handles:
        handle.remove()
    return {**{key: torch.cat(parts, dim=1) for key, parts in seen.items()}, "generator": features}


def dropping(**changes) -> Seq2Seq:
    torch.manual_seed(3)
    chosen = settings(embedding=20, hidden=40, decoder_layers=3, dropout=0.5, embedding_dropout=0.5, **changes)
    model = Seq2Seq(chosen, VOCAB, VOCAB).train()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))  # so that a zero comes from dropout alone
    return model


@pytest.mark.parametrize("teacher_forcing", [1.0, 0.5])
@pytest.mark.parametrize("loop", LOOPS)
def test_variational_dropout_drops_the_same_units_at_all_positions(loop: str, teacher_forcing: float) -> None:
    model = dropping(variational=True, **LOOPS[loop])
    first = {key: inputs == 0 for key, inputs in inputs_of_layers(model, teacher_forcing).items()}
    assert len(first) == 4
    for key, dropped in first.items():
        if key in {"rnn.0", "bottom.0"}:  # the word is dropped as an embedding; what stands beside it is not
            dropped = dropped[..., :20]
        assert (dropped == dropped[:, :1]).all(), key
        assert 0.3 < dropped.float().mean() < 0.7, key
        assert len(dropped[:, 0].unique(dim=0)) == len(SOURCE), f"{key}: one mask for each sentence"
    again = inputs_of_layers(model, teacher_forcing)
    assert not torch.equal(again["generator"] == 0, first["generator"]), "each pass draws masks of its own"


@pytest.mark.parametrize("loop", LOOPS)
def test_other_dropout_drops_other_units_at_each_position(loop: str) -> None:
    for key, inputs in inputs_of_layers(dropping(variational=False, **LOOPS[loop]), 1.0).items():
        dropped = (inputs == 0)[..., : 20 if key in {"rnn.0", "bottom.0"} else None]
        assert not (dropped == dropped[:, :1]).all(), key
        assert 0.3 < dropped.float().mean() < 0.7, key


@pytest.mark.parametrize("variational", [True, False])
def test_encoder_drops_tokens_as_asked(variational: bool) -> None:
    source = SOURCE[:1]
    encoder = dropping(variational=variational, encoder_layers=2).encoder
    encoded, _ = encoder(source, source != PAD_ID, [source.size(1)])
    dropped = encoded == 0
    assert 0.2 < dropped.float().mean() < 0.8
    assert (dropped == dropped[:, :1]).all() == variational


@pytest.mark.parametrize("loop", LOOPS)
def test_evaluation_drops_nothing(loop: str) -> None:
    model = dropping(variational=True, word_dropout=0.5, **LOOPS[loop]).eval()
    assert torch.equal(log_probs(model, SOURCE, TARGET), log_probs(model, SOURCE, TARGET))
    assert not any(
        (inputs[REAL] == 0).any() for inputs in inputs_of_layers(model, 1.0).values() if inputs.size(-1) > 60
    )
    assert not (model(SOURCE, TARGET).features == 0).any()


def test_dropout_keeps_the_expected_value() -> None:
    model = dropping(variational=True)
    words = torch.randint(4, VOCAB, (4000, 2))
    dropped, whole = model.target_embedding(words).detach(), model.eval().target_embedding(words).detach()
    kept = dropped != 0
    torch.testing.assert_close(dropped[kept], 2 * whole[kept])


def test_word_dropout_takes_out_whole_words() -> None:
    torch.manual_seed(1)
    model = Seq2Seq(settings(word_dropout=0.25), VOCAB, VOCAB).train()
    vectors = model.encoder.embedding(torch.full((100, 40), 5)).detach()
    gone = (vectors == 0).all(dim=-1)
    assert 0.2 < gone.float().mean() < 0.3
    torch.testing.assert_close(
        vectors[~gone],
        (model.encoder.embedding.table.weight[5] * 6**0.5 / 0.75).expand(int((~gone).sum()), -1).detach(),
    )


# Teacher forcing -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loop", LOOPS)
@torch.inference_mode()
def test_teacher_forcing_always(loop: str) -> None:
    """With probability 1 it is the plain pass; just under 1 it takes the other way, to the same numbers."""
    model = perturbed(**LOOPS[loop])
    expected = log_probs(model, SOURCE, TARGET)
    for probability in (1.0, 1.0 - 1e-12):
        found = model.generator.log_probs(model(SOURCE, TARGET, probability).features)
        torch.testing.assert_close(found, expected, **CLOSE)


@pytest.mark.parametrize("loop", LOOPS)
@torch.inference_mode()
def test_teacher_forcing_never_feeds_the_models_own_words(loop: str) -> None:
    model = perturbed(**LOOPS[loop])
    target = TARGET.repeat(1, 2)
    found = model(SOURCE, target, 0.0)
    memory, state = model.encode(SOURCE)
    words, differ = target[:, 0], False
    for position in range(target.size(1)):
        differ |= bool((words != target[:, position]).any())
        expected, state, attention = model.step(words, state, memory)
        torch.testing.assert_close(model.generator.log_probs(found.features[:, position]), expected, **CLOSE)
        torch.testing.assert_close(found.attention[:, position], attention, **CLOSE)
        words = expected.argmax(dim=-1)
    assert differ, "the model's words must not be the reference's by chance"
    for found_part, part in zip(found.state, state, strict=True):
        torch.testing.assert_close(found_part, part, **CLOSE)


@torch.inference_mode()
def test_teacher_forcing_chooses_for_each_sentence_and_position() -> None:
    """At the second position a row equals either the forced pass or the free one, by about the given probability."""
    model = perturbed()
    source, target = SOURCE[:1].repeat(2000, 1), TARGET[:1].repeat(2000, 1)
    forced, free = model(SOURCE[:1], TARGET[:1]), model(SOURCE[:1], TARGET[:1], 0.0)
    assert not torch.allclose(forced.features[0, 1], free.features[0, 1])
    torch.manual_seed(0)
    mixed = model(source, target, 0.3).features[:, 1]
    is_forced = (mixed - forced.features[:, 1]).abs().amax(dim=-1) < 1e-5
    is_free = (mixed - free.features[:, 1]).abs().amax(dim=-1) < 1e-5
    assert (is_forced ^ is_free).all()
    assert 0.26 < is_forced.float().mean() < 0.34


def perturbed(**changes) -> Seq2Seq:
    torch.manual_seed(5)
    model = Seq2Seq(settings(**changes), VOCAB, VOCAB).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.4 * torch.randn_like(parameter))
    return model
