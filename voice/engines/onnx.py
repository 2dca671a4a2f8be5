"""Opening ONNX models on the CPU, in one way for every engine that has one."""

from __future__ import annotations

from pathlib import Path

import onnxruntime

from voice.errors import ConfigError


def session_options(threads: int) -> onnxruntime.SessionOptions:
    """Options for `threads` CPU threads, which sleep rather than spin between operators: the cores
    are shared with the other models.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return options


def open_session(weights: Path, name: str, *, threads: int) -> onnxruntime.InferenceSession:
    """A session of the model `weights / name` on `threads` CPU threads (blocking).

    Raises `ConfigError` if the file is missing or is not a model.
    """
    path = weights / name
    if not path.is_file():
        raise ConfigError(f"the model file {name} is not installed")
    try:
        return onnxruntime.InferenceSession(
            str(path), sess_options=session_options(threads), providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime's errors share no base class of their own
        raise ConfigError(f"the model file {name} cannot be loaded: {error}") from error
