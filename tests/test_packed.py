"""Packed weights: the same products, wherever they are chosen."""

import pytest
import torch

from nmt.kernels import Thresholds, reference, using
from nmt.kernels.packed import Packed, is_worthwhile


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("rows", [0, 1, 2, 5, 33, 200])
@pytest.mark.parametrize(("inputs", "outputs"), [(1, 1), (7, 30), (96, 130), (512, 300)])
def test_products_are_the_plain_ones(inputs: int, outputs: int, rows: int, bias: bool) -> None:
    torch.manual_seed(rows)
    weight, shift = torch.randn(outputs, inputs), torch.randn(outputs) if bias else None
    # Columns of something larger: not contiguous.
    given = torch.randn(inputs + 1, rows).t()[:, 1:]
    torch.testing.assert_close(
        Packed(weight, shift, torch.float32)(given),
        torch.nn.functional.linear(given, weight, shift),
        rtol=1e-4,
        atol=1e-4,
    )


@pytest.mark.parametrize("rows", [1, 3, 5, 6])
def test_a_padded_product_is_the_same(rows: int) -> None:
    torch.manual_seed(rows)
    weight, shift, given = torch.randn(130, 96), torch.randn(130), torch.randn(rows, 96)
    packed, expected = Packed(weight, shift, torch.float32), torch.nn.functional.linear(given, weight, shift)
    with using({torch.get_num_threads(): Thresholds(min_rows=5)}):
        product = packed.for_rows(rows)
    assert (product is packed) == (rows >= 5)
    torch.testing.assert_close(product(given), expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(product(given.unsqueeze(1)), expected.unsqueeze(1), rtol=1e-4, atol=1e-4)
    assert packed.for_rows(rows, 1) is packed


def test_packing_pays_for_large_products_of_single_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    weight = torch.zeros(500, Thresholds().rows // 1000)
    assert is_worthwhile(2, weight)
    assert not is_worthwhile(1, weight)
    assert not is_worthwhile(2, weight[1:])
    assert not is_worthwhile(2, weight.double())
    with using({1: Thresholds(one_row=weight.numel(), rows=weight.numel() + 1)}):
        assert is_worthwhile(1, weight) and not is_worthwhile(1, weight[1:])
        assert is_worthwhile(2, weight)
    with using({7: Thresholds(one_row=1)}):  # the nearest number of threads
        assert is_worthwhile(1, weight)
    with reference("packed"):
        assert not is_worthwhile(2, weight)
    monkeypatch.setattr(torch.backends.mkldnn, "enabled", False)
    assert not is_worthwhile(2, weight)
