"""Kokoro's exported graph, taken apart so that speech can begin before all of it is made.

What the ONNX file computes in one go is cut where little data flows:

- the *prosody* network: phonemes -> how long each lasts, pitch, and a coarse picture of the sound,
- the *generator*: that picture -> audio. It takes most of the time, and it is convolutions all the
  way, so that a piece of the picture gives a piece of the audio ...
- ... but for its normalisations (adaptive instance norm), which look at the whole utterance. Their
  means and variances become an output, and an input that can stand in for them (`kokoro_norms`).

The file on the disk stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from voice.errors import ConfigError

PICTURE = "/decoder/decoder/decode.3/Div_4_output_0"
"""float32 `(1, 512, frames)`, 80 frames a second."""
SOURCE = "/decoder/decoder/generator/Pad_output_0"
"""The excitation (a sine and its harmonics, noise), with 10 samples mirrored at either end, float32
`(1, 1, 300 * frames + 20)`."""
DURATIONS = "/encoder/Clip_output_0"
"""How long each token lasts, in whole numbers of 600 samples, float32 `(tokens)`."""
GENERATOR = "/decoder/decoder/generator/"

LONGEST = "longest"
"""Added input of the prosody network: no token lasts longer, float32 `(1, tokens)`."""
NORMS = "norms"
"""Added input of the generator: means and variances to normalise with, float32 `(norms)`."""
GIVEN = "given"
"""Added input of the generator: whether to use `NORMS`, bool `()`."""
SEEN = "seen"
"""Added output of the generator: the means and variances of this very input, float32 `(norms)`."""


@dataclass(frozen=True, slots=True)
class Networks:
    """The two halves, serialised; which of the generator's norms are variances, bool `(norms)`."""

    prosody: bytes
    generator: bytes
    variances: NDArray[np.bool_]


def take_apart(model: bytes) -> Networks:
    """Cut the ONNX `model` in two. Raises `ConfigError` if it is not Kokoro as it is known here."""
    whole = onnx.load_from_string(model)
    made = {name for node in whole.graph.node for name in node.output}
    missing = {PICTURE, SOURCE, DURATIONS} - made
    if missing:
        raise ConfigError(f"this Kokoro model is another than is known here: no {min(missing)}")
    generator, variances = _generator(whole)
    return Networks(_prosody(whole), generator, variances)


def _prosody(whole: ModelProto) -> bytes:
    """tokens, style, speed, `LONGEST` -> `PICTURE`, `SOURCE`, `DURATIONS` (bounded)."""
    results = [PICTURE, SOURCE, DURATIONS]
    nodes = []
    for node in _needed(whole, results, ["tokens", "style", "speed"]):
        if DURATIONS in node.output:
            unbounded = f"{DURATIONS}.unbounded"
            nodes += [_renamed(node, unbounded)]
            nodes += [helper.make_node("Min", [unbounded, LONGEST], [DURATIONS])]
        else:
            nodes.append(node)
    inputs = [
        helper.make_tensor_value_info("tokens", TensorProto.INT64, [1, "tokens"]),
        helper.make_tensor_value_info("style", TensorProto.FLOAT, [1, 256]),
        helper.make_tensor_value_info("speed", TensorProto.FLOAT, [1]),
        helper.make_tensor_value_info(LONGEST, TensorProto.FLOAT, [1, "tokens"]),
    ]
    return _written(whole, nodes, inputs, results)


def _generator(whole: ModelProto) -> tuple[bytes, NDArray[np.bool_]]:
    """`PICTURE`, `SOURCE`, style, `NORMS`, `GIVEN` -> audio `(samples)`, `SEEN`."""
    (audio,) = (output.name for output in whole.graph.output)
    nodes: list[NodeProto] = []
    names: list[str] = []
    for node in _needed(whole, [audio], [PICTURE, SOURCE, "style"]):
        if node.op_type == "ReduceMean" and node.name.startswith(GENERATOR):
            (name,) = node.output
            own, given = f"{name}.own", f"{name}.given"
            nodes += [_renamed(node, own), helper.make_node("Where", [GIVEN, given, own], [name])]
            names.append(name)
        else:
            nodes.append(node)
    channels = _channels(whole, names)
    sizes = numpy_helper.from_array(np.array(channels, np.int64), "norms.sizes")
    column = numpy_helper.from_array(np.array([1, -1, 1], np.int64), "norms.column")
    flat = numpy_helper.from_array(np.array([-1], np.int64), "norms.flat")
    parts = [f"{name}.part" for name in names]
    before = [helper.make_node("Split", [NORMS, sizes.name], parts, axis=0)]
    for name, part in zip(names, parts, strict=True):
        before.append(helper.make_node("Reshape", [part, column.name], [f"{name}.given"]))
    after = [
        helper.make_node("Concat", [f"{name}.own" for name in names], ["seen.column"], axis=1),
        helper.make_node("Reshape", ["seen.column", flat.name], [SEEN]),
    ]
    inputs = [
        helper.make_tensor_value_info(PICTURE, TensorProto.FLOAT, [1, 512, "frames"]),
        helper.make_tensor_value_info(SOURCE, TensorProto.FLOAT, [1, 1, "samples"]),
        helper.make_tensor_value_info("style", TensorProto.FLOAT, [1, 256]),
        helper.make_tensor_value_info(NORMS, TensorProto.FLOAT, [sum(channels)]),
        helper.make_tensor_value_info(GIVEN, TensorProto.BOOL, []),
    ]
    written = _written(
        whole, [*before, *nodes, *after], inputs, [audio, SEEN], [sizes, column, flat]
    )
    # The mean of the squared differences is the second of each pair.
    variances = np.repeat(["ReduceMean_2" in name for name in names], channels)
    return written, variances


def _channels(whole: ModelProto, names: Sequence[str]) -> list[int]:
    """How many channels each of these means has: half of what its layer's `fc` makes of a style."""
    shapes = {tensor.name: list(tensor.dims) for tensor in whole.graph.initializer}
    made = {
        node.name.partition("/fc/")[0]: max(shapes[name])
        for node in whole.graph.node
        for name in node.input
        if "/fc/" in node.name and len(shapes.get(name, ())) == 2
    }
    return [made[name.rpartition("/")[0]] // 2 for name in names]


def _needed(whole: ModelProto, results: Sequence[str], known: Sequence[str]) -> list[NodeProto]:
    """The nodes that `results` come from, in order, if the tensors `known` are given."""
    wanted = set(results) - set(known)
    nodes = []
    for node in reversed(whole.graph.node):  # a graph is sorted: every maker before its users
        if wanted.intersection(node.output):
            nodes.append(node)
            wanted.update(set(node.input) - set(known))
    return nodes[::-1]


def _renamed(node: NodeProto, output: str) -> NodeProto:
    """A copy of `node` whose only output is named `output`."""
    copy = NodeProto()
    copy.CopyFrom(node)
    copy.output[:] = [output]
    return copy


def _written(
    whole: ModelProto,
    nodes: Sequence[NodeProto],
    inputs: Sequence[ValueInfoProto],
    results: Sequence[str],
    constants: Sequence[TensorProto] = (),
) -> bytes:
    """A model of `nodes` with those of the whole model's constants that they use."""
    used = {name for node in nodes for name in node.input}
    kept = [tensor for tensor in whole.graph.initializer if tensor.name in used]
    outputs = [helper.make_empty_tensor_value_info(name) for name in results]
    graph = helper.make_graph(nodes, "part", inputs, outputs, [*kept, *constants])
    model = helper.make_model(graph, opset_imports=whole.opset_import, ir_version=whole.ir_version)
    written: bytes = model.SerializeToString()
    return written
