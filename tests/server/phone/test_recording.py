"""One call's recording: a real link, pacer and protocol in virtual time, and the file read by Python's `wave`."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.audio.frames import Samples, to_int16
from media.audio.g711 import decode_ulaw, encode_ulaw
from media.audio.two_channel import Channel, Piece
from media.audio.wav import read_wav, wav_header
from server.phone.recording import (
    CLOSE_S,
    CallRecorder,
    RecordingFile,
    RecordingWriter,
    header,
    locked,
    marks_in,
    mend,
)
from tests.server.phone.recorded import RATE, Line, click, clicks, read
from tests.virtual_time import run_virtual

SOUND = 60
"""Bytes before the sound."""


def noise(seconds: float) -> Samples:
    return np.random.default_rng(3).uniform(0.2, 0.9, round(seconds * RATE)).astype(np.float32)


def test_both_sides_lie_where_the_clock_says(tmp_path: Path) -> None:
    async def call() -> None:
        async with Line(tmp_path / "a.part", says=to_int16(click(3 * RATE, 12_345))) as line:
            await line.until(1.0)
            line.say(click(4000, 777))
            await line.until(3.0)
            sound = await line.written.ended()
        assert sound.shape == (2, 3 * RATE)
        assert clicks(sound[Channel.CALLER]) == [12_345]
        assert clicks(sound[Channel.AGENT]) == [RATE + 777]

    run_virtual(call)


def test_what_the_ear_heard_is_what_is_recorded_and_what_was_cleared_is_not(tmp_path: Path) -> None:
    async def call() -> None:
        said = noise(2.0)
        async with Line(tmp_path / "a.part") as line:
            await line.until(0.5)
            line.say(said)
            await line.until(1.013)
            position = line.interrupt()
            await line.until(3.0)
            sound = (await line.written.ended())[Channel.AGENT]
        assert 3900 < position < 4110
        heard = np.concatenate([decode_ulaw(frame) for _, frame in line.heard])
        recorded = sound[sound != 0]
        assert len(recorded) == position, "exactly as far as the ledger says"
        assert abs(len(heard) - len(recorded)) <= 160
        assert np.array_equal(decode_ulaw(encode_ulaw(recorded)), heard[: len(recorded)])

    run_virtual(call)


def test_the_cut_is_where_the_ledger_has_it_although_marks_come_late(tmp_path: Path) -> None:
    async def call() -> None:
        async with Line(tmp_path / "a.part", delay=0.25) as line:
            line.say(noise(2.0))
            await line.until(1.0)
            position = line.interrupt()
            await line.until(3.0)
            sound = (await line.written.ended())[Channel.AGENT]
        assert position < 0.8 * RATE
        assert abs(np.count_nonzero(sound) - position) <= 1

    run_virtual(call)


def test_speech_that_is_taken_up_again_goes_on_without_a_sample_lost_or_doubled(tmp_path: Path) -> None:
    async def call() -> None:
        said = noise(1.0)
        async with Line(tmp_path / "a.part") as line:
            line.say(said)
            await line.until(0.4)
            line.interrupt()
            await line.until(1.4)
            line.session.playout.resume()
            await line.until(3.0)
            sound = (await line.written.ended())[Channel.AGENT]
        parts = np.split(sound, np.flatnonzero(np.diff((sound == 0).astype(np.int8))) + 1)
        lengths = [len(part) for part in parts if part.any()]
        assert sum(lengths) == pytest.approx(RATE, abs=2), "the ramp begins at zero"
        ramp = 80
        recorded = np.concatenate([part for part in parts if part.any()])
        expected = to_int16(said)
        assert np.array_equal(recorded[: lengths[0]], expected[: lengths[0]])
        assert np.array_equal(recorded[lengths[0] + ramp :], expected[-(len(recorded) - lengths[0] - ramp) :])

    run_virtual(call)


def test_chunks_that_were_lost_are_silence_and_what_follows_keeps_its_place(tmp_path: Path) -> None:
    async def call() -> None:
        said = to_int16(noise(2.0))
        async with Line(tmp_path / "a.part", says=said, lost=range(31, 41)) as line:
            await line.until(2.01)
            sound = (await line.written.ended())[Channel.CALLER]
        expected = decode_ulaw(encode_ulaw(said)).copy()
        expected[30 * 160 : 40 * 160] = 0
        assert np.max(np.abs(sound[: 2 * RATE].astype(np.int32) - expected)) <= 1, "32767 against 32768"

    run_virtual(call)


def test_several_speak_on_one_call_and_are_on_one_recording(tmp_path: Path) -> None:
    async def call() -> None:
        async with Line(tmp_path / "a.part", says=to_int16(click(3 * RATE, 20_000))) as line:
            line.say(noise(0.5))
            await line.until(0.3)
            await line.next_conversant()
            await line.until(1.0)
            line.say(click(4000, 100))
            await line.until(3.0)
            sound = await line.written.ended()
        agent = sound[Channel.AGENT]
        assert agent[:2300].all(), "the first one, as far as it was heard"
        assert not agent[2410:RATE].any(), "what was silenced when the next one took over"
        assert clicks(agent[RATE:]) == [100]
        assert clicks(sound[Channel.CALLER]) == [20_000]

    run_virtual(call)


def test_keys_that_the_agent_presses_are_heard(tmp_path: Path) -> None:
    async def call() -> None:
        async with Line(tmp_path / "a.part") as line:
            await line.until(0.5)
            line.link.send_digits("5")
            await line.until(2.0)
            sound = (await line.written.ended())[Channel.AGENT]
        assert not sound[: RATE // 2].any()
        assert np.abs(sound[RATE // 2 : RATE // 2 + 800]).max() > 2000

    run_virtual(call)


# The file


def piece(channel: Channel, index: int, *values: float) -> Piece:
    return Piece(channel, index, np.array(values, np.float32))


def test_a_file_is_whole_after_every_write(tmp_path: Path) -> None:
    file = RecordingFile(tmp_path / "r" / "a.part")
    file.write([piece(Channel.AGENT, 10, 1.0), piece(Channel.CALLER, 2, 0.5, -0.5)])
    assert read(file.path).shape == (2, 11)
    file.write([piece(Channel.CALLER, 10, -1.0)])
    sound = read(file.path)
    assert sound[:, 10].tolist() == [-32767, 32767], "one channel leaves the other alone"
    assert sound[0, 2:4].tolist() == [16384, -16384]
    assert np.count_nonzero(sound) == 4
    assert file.finish([], 20) == SOUND + 80
    assert read(file.path).shape == (2, 20)
    assert (file.path.stat().st_mode & 0o777, file.path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_a_disk_that_fails_ends_the_recording_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "r").write_text("no folder")
    file = RecordingFile(tmp_path / "r" / "a.part")
    file.write([piece(Channel.AGENT, 0, 1.0)])
    assert file.finish([piece(Channel.AGENT, 1, 1.0)], 10) == 0


def test_what_was_written_before_the_disk_was_full_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = RecordingFile(tmp_path / "a.part")
    file.write([piece(Channel.AGENT, 0, *[1.0] * 100)])

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("server.phone.recording.os.pwrite", full)
    file.write([piece(Channel.AGENT, 100, *[1.0] * 100)])
    monkeypatch.undo()
    assert file.finish([piece(Channel.AGENT, 200, 1.0)], 300) == SOUND + 400
    assert read(file.path).shape == (2, 100)


def test_a_file_that_is_being_written_is_left_alone_and_mended_afterwards(tmp_path: Path) -> None:
    file = RecordingFile(tmp_path / "a.part")
    file.write([piece(Channel.AGENT, 0, *[1.0] * 50)])
    assert mend(file.path) is None
    with file.path.open("ab") as other:
        other.write(b"\x01" * 7)  # more than the header knows of, and half a frame
    file.finish([], 51)
    with file.path.open("r+b") as other:
        other.write(b"\0" * SOUND)
        other.seek(0, 2)
        other.write(b"\x01" * 7)
    assert mend(file.path) == SOUND + 4 * 52
    assert read(file.path).shape == (2, 52)


def test_a_file_without_sound_is_mended_to_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.part").write_bytes(b"RIFF")
    assert mend(tmp_path / "a.part") == 0
    assert mend(tmp_path / "missing.part") is None


def test_a_file_tells_which_streams_are_in_it(tmp_path: Path) -> None:
    file = RecordingFile(tmp_path / "call_1.0123abcd.part")
    file.finish([piece(Channel.AGENT, 0, 1.0)], 1)
    assert marks_in(file.path.read_bytes()) == ([b"0123abcd"], SOUND)
    assert marks_in(header(5, [b"0123abcd", b"4567abcd"])) == ([b"0123abcd", b"4567abcd"], SOUND + 8)
    for strange in (b"", b"RIFF", wav_header(5, 8000, 2) + bytes(100), header(5, [])):
        with pytest.raises(ValueError, match="no recording"):
            marks_in(strange)


def test_our_own_reader_passes_over_the_marks(tmp_path: Path) -> None:
    file = RecordingFile(tmp_path / "call_1.0123abcd.wav")
    file.finish([piece(Channel.AGENT, 0, *[0.5] * 10), piece(Channel.CALLER, 0, *[0.5] * 10)], 10)
    assert read_wav(file.path).samples == pytest.approx(0.5, abs=1e-4)


def test_one_at_a_time_has_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"")
    with locked(tmp_path / "a.wav") as first, locked(tmp_path / "a.wav") as second:
        assert first is not None
        assert second is None


Pieces = st.lists(
    st.tuples(st.sampled_from(Channel), st.integers(0, 300), st.lists(st.floats(-1, 1, width=32), max_size=60)),
    max_size=20,
)


@settings(max_examples=60, deadline=None)
@given(blocks=st.lists(Pieces, max_size=5), length=st.integers(0, 400))
def test_whatever_is_written_where_every_sample_is_in_its_place(
    blocks: list[list[tuple[Channel, int, list[float]]]], length: int
) -> None:
    expected = np.zeros((2, 400), np.int16)
    end = 0
    with TemporaryDirectory() as folder:
        file = RecordingFile(Path(folder) / "a.part")
        for block in blocks:
            file.write([piece(channel, index, *values) for channel, index, values in block])
            for channel, index, values in block:
                expected[channel, index : index + len(values)] = to_int16(np.array(values, np.float32))
                end = max(end, index + len(values)) if values else end
            assert np.array_equal(read(file.path), expected[:, :end])
        size = file.finish([], length)
        assert size == (SOUND + 4 * length if length else 0)
        if length:
            expected[:, length:] = 0
            assert np.array_equal(read(file.path), expected[:, :length])


# The writer


class SlowFile(RecordingFile):
    """A disk that waits to be told to go on."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.go_on = threading.Event()
        self.begun = threading.Event()

    def write(self, pieces: Sequence[Piece]) -> None:
        self.begun.set()
        assert self.go_on.wait(10)
        super().write(pieces)


def test_a_slow_disk_makes_silence_and_holds_nobody_up(tmp_path: Path) -> None:
    file, writer = SlowFile(tmp_path / "a.part"), RecordingWriter(most=3)
    ones = [1.0] * 10
    assert writer.put(file, [piece(Channel.AGENT, 0, *ones)])
    assert file.begun.wait(10)
    taken = [writer.put(file, [piece(Channel.AGENT, 10 * i, *ones)]) for i in range(1, 8)]
    assert taken == [True] * 3 + [False] * 4
    assert writer.refused == 4
    done = writer.finish(file, [piece(Channel.AGENT, 80, *ones)], 90)
    file.go_on.set()
    assert done.result(10) == SOUND + 4 * 90
    agent = read(file.path)[Channel.AGENT]
    assert agent[:40].all()
    assert not agent[40:80].any(), "what was refused"
    assert agent[80:].all()
    writer.close()


def test_a_writer_that_closes_writes_what_waits_and_takes_no_more(tmp_path: Path) -> None:
    file, writer = SlowFile(tmp_path / "a.part"), RecordingWriter()
    writer.put(file, [piece(Channel.AGENT, 0, 1.0)])
    done = writer.finish(file, [], 1)
    writer.close()
    assert not writer.put(file, [piece(Channel.AGENT, 0, 1.0)])
    with pytest.raises(OSError, match="any more"):
        writer.finish(file, [], 1).result(0)
    file.go_on.set()
    assert done.result(10) == SOUND + 4


def test_a_fault_in_one_recording_ends_no_other(tmp_path: Path) -> None:
    class Broken(RecordingFile):
        def write(self, pieces: Sequence[Piece]) -> None:
            raise ZeroDivisionError

    writer = RecordingWriter()
    writer.put(Broken(tmp_path / "b.part"), [])
    whole = RecordingFile(tmp_path / "a.part")
    assert writer.finish(whole, [piece(Channel.AGENT, 0, 1.0)], 1).result(10) == SOUND + 4
    writer.close()


# The recorder


def recorder(ending: Callable[[], asyncio.Task[str | None]], took: list[Sequence[Piece]]) -> CallRecorder:
    def put(pieces: Sequence[Piece]) -> bool:
        took.append(pieces)
        return False

    loop = asyncio.get_running_loop()
    return CallRecorder(put, lambda _pieces, _length: ending(), clock=loop.time)


def test_closing_waits_a_moment_and_no_longer_and_says_the_same_again() -> None:
    async def slow() -> str | None:
        await asyncio.sleep(CLOSE_S + 0.5)
        return "key"

    async def call() -> None:
        loop = asyncio.get_running_loop()
        endings: list[asyncio.Task[str | None]] = []

        def ending() -> asyncio.Task[str | None]:
            endings.append(loop.create_task(slow()))
            return endings[-1]

        made = recorder(ending, [])
        began = loop.time()
        assert await made.close() is None
        assert loop.time() - began == pytest.approx(CLOSE_S)
        assert await made.close() == "key"
        assert len(endings) == 1

    run_virtual(call)


def test_a_call_that_is_cancelled_while_it_closes_loses_no_recording() -> None:
    async def slow() -> str | None:
        await asyncio.sleep(0.1)
        return "key"

    async def call() -> None:
        loop = asyncio.get_running_loop()
        ending: list[asyncio.Task[str | None]] = []
        made = recorder(lambda: ending[0], [])
        ending.append(loop.create_task(slow()))
        closing = loop.create_task(made.close())
        await asyncio.sleep(0)
        closing.cancel()
        await asyncio.gather(closing, return_exceptions=True)
        assert await ending[0] == "key"

    run_virtual(call)


def test_audio_is_passed_on_in_blocks_and_not_after_the_end() -> None:
    async def call() -> None:
        loop = asyncio.get_running_loop()
        took: list[Sequence[Piece]] = []

        async def key() -> str | None:
            return "key"

        made = recorder(lambda: loop.create_task(key()), took)
        for _ in range(200):  # four seconds
            await asyncio.sleep(0.02)
            made.caller(np.ones(160, np.float32), loop.time())
            made.agent(np.ones(160, np.float32), loop.time())
        assert 6 <= len(took) <= 9, "although the writer takes none of it"
        await made.close()
        blocks = len(took)
        for _ in range(100):
            await asyncio.sleep(0.02)
            made.caller(np.ones(160, np.float32), loop.time())
            made.agent(np.ones(160, np.float32), loop.time())
            made.cleared(loop.time())
        assert len(took) == blocks

    run_virtual(call)
