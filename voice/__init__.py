"""The voice half of Vivavoce: hearing, taking turns, speaking, and the wire."""

import os

# ONNX Runtime 1.29 and later report to their maker over the network unless this is set before it is
# loaded. Nothing leaves this machine that its owner did not ask for.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

# Every length of audio makes oneDNN (inside CTranslate2) compile and keep kernels of its own: with
# its default of 1024, memory grows for as long as people speak. Recognition is no slower with 64.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")
