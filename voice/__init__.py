"""The voice half of Vivavoce: hearing, taking turns, speaking, and the wire."""

import os

# ONNX Runtime 1.29 and later report to their maker over the network unless this is set before it is
# loaded. Nothing leaves this machine that its owner did not ask for.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
