"""The codecs against the tables of ITU-T G.711, built here from the recommendation's intervals."""

import itertools
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from media.audio.frames import to_int16
from media.audio.g711 import (
    ALAW_SILENCE,
    ULAW_SILENCE,
    Pcm16,
    decode_alaw,
    decode_ulaw,
    encode_alaw,
    encode_ulaw,
    samples_to_ulaw,
    ulaw_to_samples,
)

EVERY_CODE = bytes(range(256))
EVERY_PCM = np.arange(-32768, 32768, dtype=np.int32).astype(np.int16)

# Tables 2a/G.711 and 1a/G.711: from zero outwards, how many intervals of which width, on scales of 14 and 13 bits.
ULAW_INTERVALS = [(1, 1), (15, 2), (16, 4), (16, 8), (16, 16), (16, 32), (16, 64), (16, 128), (16, 256)]
ALAW_INTERVALS = [(32, 2), (16, 4), (16, 8), (16, 16), (16, 32), (16, 64), (16, 128)]


def decision_values(intervals: Sequence[tuple[int, int]]) -> list[int]:
    values = [0]
    for count, width in intervals:
        base = values[-1]
        values.extend(base + width * (i + 1) for i in range(count))
    return values


def ulaw_tables() -> tuple[list[int], list[int]]:
    """Decision values and output values of the positive half, scaled to 16 bits."""
    bounds = decision_values(ULAW_INTERVALS)
    outputs = [0, *((low + high) // 2 for low, high in itertools.pairwise(bounds[1:]))]
    return [4 * b for b in bounds], [4 * y for y in outputs]


def alaw_tables() -> tuple[list[int], list[int]]:
    bounds = decision_values(ALAW_INTERVALS)
    outputs = [(low + high) // 2 for low, high in itertools.pairwise(bounds)]
    return [8 * b for b in bounds], [8 * y for y in outputs]


def test_the_tables_built_here_have_the_values_printed_in_the_recommendation() -> None:
    bounds, outputs = ulaw_tables()
    assert [bounds[n] // 4 for n in (1, 16, 32, 48, 64, 80, 96, 112, 128)] == [
        1, 31, 95, 223, 479, 991, 2015, 4063, 8159
    ]  # fmt: skip
    assert [outputs[n] // 4 for n in (0, 1, 16, 32, 48, 64, 80, 96, 112, 127)] == [
        0, 2, 33, 99, 231, 495, 1023, 2079, 4191, 8031
    ]  # fmt: skip
    bounds, outputs = alaw_tables()
    assert [bounds[n] // 8 for n in (32, 48, 64, 80, 96, 112, 128)] == [64, 128, 256, 512, 1024, 2048, 4096]
    assert [outputs[n] // 8 for n in (0, 32, 48, 64, 80, 96, 112, 127)] == [1, 66, 132, 264, 528, 1056, 2112, 4032]


def test_every_ulaw_code_decodes_to_the_output_value_of_the_recommendation() -> None:
    _, outputs = ulaw_tables()
    decoded = decode_ulaw(EVERY_CODE)
    assert [int(decoded[0xFF - n]) for n in range(128)] == outputs
    assert [int(decoded[0x7F - n]) for n in range(128)] == [-y for y in outputs]


def test_every_alaw_code_decodes_to_the_output_value_of_the_recommendation() -> None:
    _, outputs = alaw_tables()
    decoded = decode_alaw(EVERY_CODE)
    assert [int(decoded[(0x80 | n) ^ 0x55]) for n in range(128)] == outputs
    assert [int(decoded[n ^ 0x55]) for n in range(128)] == [-y for y in outputs]


@pytest.mark.parametrize(
    ("encode", "bounds", "positive", "negative"),
    [
        (encode_ulaw, ulaw_tables()[0], lambda n: 0xFF - n, lambda n: 0x7F - n),
        (encode_alaw, alaw_tables()[0], lambda n: (0x80 | n) ^ 0x55, lambda n: n ^ 0x55),
    ],
    ids=["ulaw", "alaw"],
)
def test_every_16_bit_sample_gets_the_code_of_its_interval(
    encode: Callable[[Pcm16], bytes],
    bounds: list[int],
    positive: Callable[[Pcm16], Pcm16],
    negative: Callable[[Pcm16], Pcm16],
) -> None:
    pcm = EVERY_PCM.astype(np.int32)
    magnitude = np.where(pcm < 0, ~pcm, pcm)
    interval = np.minimum(np.searchsorted(bounds, magnitude, side="right") - 1, 127)
    codes = interval.astype(np.int16)
    expected = np.where(pcm < 0, negative(codes), positive(codes))
    assert np.array_equal(np.frombuffer(encode(EVERY_PCM), np.uint8), expected)


def test_decoding_and_encoding_gives_every_code_back_but_ulaw_has_one_zero() -> None:
    assert encode_alaw(decode_alaw(EVERY_CODE)) == EVERY_CODE
    negative_zero = 0x7F
    assert encode_ulaw(decode_ulaw(EVERY_CODE)) == EVERY_CODE.replace(bytes([negative_zero]), bytes([ULAW_SILENCE]))


def test_silence_is_the_code_of_zero() -> None:
    nothing = np.zeros(160, np.int16)
    assert encode_ulaw(nothing) == bytes([ULAW_SILENCE]) * 160
    assert encode_alaw(nothing) == bytes([ALAW_SILENCE]) * 160
    assert not ulaw_to_samples(bytes([ULAW_SILENCE]) * 160).any()


pcm_arrays = arrays.arrays(np.int16, st.integers(0, 400))


@given(pcm_arrays)
def test_ulaw_keeps_a_sample_within_half_its_interval(pcm: Pcm16) -> None:
    back = decode_ulaw(encode_ulaw(pcm)).astype(np.int32)
    magnitude = np.abs(pcm.astype(np.int32))
    allowed = np.maximum(4, (magnitude + 132) / 32 + 4)
    assert (np.abs(back - pcm) <= np.where(magnitude > 32635, magnitude - 32124, allowed)).all()


@given(pcm_arrays)
def test_alaw_keeps_a_sample_within_half_its_interval(pcm: Pcm16) -> None:
    back = decode_alaw(encode_alaw(pcm)).astype(np.int32)
    assert (np.abs(back - pcm) <= np.maximum(8, np.abs(pcm.astype(np.int32)) / 32 + 1)).all()


@given(st.binary(max_size=400))
def test_float_samples_round_trip_through_ulaw(codes: bytes) -> None:
    samples = ulaw_to_samples(codes)
    assert samples.dtype == np.float32
    assert len(samples) == len(codes)
    assert samples_to_ulaw(samples) == encode_ulaw(to_int16(samples))
    assert np.abs(ulaw_to_samples(samples_to_ulaw(samples)) - samples).max(initial=0.0) <= 1 / 32


def test_samples_beyond_full_scale_are_clipped() -> None:
    assert samples_to_ulaw(np.array([2.0, -2.0], np.float32)) == samples_to_ulaw(np.array([1.0, -1.0], np.float32))
