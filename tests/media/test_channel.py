"""Bounded channels and their policies."""

from __future__ import annotations

import asyncio

import pytest

from media.channel import Channel, ChannelClosed, ChannelFull, WhenFull


async def test_live_capture_drops_the_oldest_and_counts_it() -> None:
    channel: Channel[int] = Channel(2, WhenFull.DROP_OLDEST)
    for item in range(5):
        channel.put_nowait(item)
    assert [await channel.get(), await channel.get()] == [3, 4]
    assert channel.dropped == 3


async def test_a_refusing_channel_says_that_it_is_full() -> None:
    channel: Channel[int] = Channel(1, WhenFull.REFUSE)
    await channel.put(1)
    with pytest.raises(ChannelFull):
        await channel.put(2)


async def test_a_producer_waits_for_room() -> None:
    channel: Channel[int] = Channel(1, WhenFull.WAIT)
    await channel.put(1)
    second = asyncio.create_task(channel.put(2))
    await asyncio.sleep(0)
    assert not second.done()
    assert await channel.get() == 1
    await second
    assert await channel.get() == 2


async def test_a_reader_drains_what_is_left_and_then_learns_of_the_end() -> None:
    channel: Channel[int] = Channel(2, WhenFull.WAIT)
    await channel.put(1)
    channel.close()
    assert await channel.get() == 1
    with pytest.raises(ChannelClosed):
        await channel.get()


async def test_closing_releases_a_waiting_reader_and_a_waiting_producer() -> None:
    empty: Channel[int] = Channel(1, WhenFull.WAIT)
    reader = asyncio.create_task(empty.get())
    full: Channel[int] = Channel(1, WhenFull.WAIT)
    await full.put(1)
    producer = asyncio.create_task(full.put(2))
    await asyncio.sleep(0)
    empty.close()
    full.close()
    with pytest.raises(ChannelClosed):
        await reader
    with pytest.raises(ChannelClosed):
        await producer


async def test_cancelling_a_reader_loses_nothing() -> None:
    channel: Channel[int] = Channel(2, WhenFull.WAIT)
    reader = asyncio.create_task(channel.get())
    await asyncio.sleep(0)
    channel.put_nowait(1)
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert await channel.get() == 1


async def test_clearing_tells_how_much_was_dropped_and_lets_producers_go_on() -> None:
    channel: Channel[int] = Channel(1, WhenFull.WAIT)
    await channel.put(1)
    producer = asyncio.create_task(channel.put(2))
    await asyncio.sleep(0)
    assert channel.clear() == 1
    await producer
    assert await channel.get() == 2


def test_a_channel_needs_room_for_one_item() -> None:
    with pytest.raises(ValueError, match="capacity"):
        Channel(0, WhenFull.WAIT)
