"""Lip-sync networks, their weights brought by the user, behind the same `Renderer` as the puppet.

The network repaints the mouth of the still portrait; the puppet then moves the head, the eyes and the lids of what it
painted. So the network's view of the face is the same in every frame, and is prepared once. `adapter` is the seam,
`wav2lip`, `musetalk` and `ultralight` implement it, `renderer` batches the frames of all sessions.
"""

from __future__ import annotations

from media.avatar.neural.adapter import LipSyncAdapter
from media.avatar.neural.registry import ADAPTERS, open_adapter
from media.avatar.neural.renderer import NeuralRenderer

__all__ = ["ADAPTERS", "LipSyncAdapter", "NeuralRenderer", "open_adapter"]
