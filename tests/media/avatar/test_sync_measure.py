from __future__ import annotations

import numpy as np
import pytest

from tests.media.avatar.sync import STEPS, lag_of


@pytest.mark.parametrize("lag", [-0.16, -0.04, 0.0, 0.013, 0.08])
def test_an_injected_lag_is_found(lag: float) -> None:
    fine = np.random.default_rng(0).normal(size=40 * 1000)
    smooth = np.convolve(fine, np.hanning(120), "same")
    times = np.arange(0, 38 * STEPS) / STEPS + 1
    spoken = np.interp(times, np.arange(len(smooth)) / 1000, smooth)
    seen = np.interp(times - lag, np.arange(len(smooth)) / 1000, smooth)
    found, correlation = lag_of(seen, spoken)
    assert found == pytest.approx(lag, abs=0.006)
    assert correlation > 0.98
