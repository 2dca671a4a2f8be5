"""The starter language model behind an OpenAI-compatible endpoint, for those who need one.

    python -m bench.peers.llm_server model.gguf THREADS

It is llama.cpp's own HTTP server, as `xllamacpp` brings it. Prints its address, then serves until
stdin ends.
"""

from __future__ import annotations

import sys

import xllamacpp

from chat.providers.llama_cpp import CPU_BATCH


def main() -> None:
    """Load, tell where, serve."""
    path, threads = sys.argv[1:]
    params = xllamacpp.CommonParams()
    params.model.path = path
    # One slot, which keeps the instructions evaluated for every question.
    params.n_parallel = 1
    params.n_ctx = 2048
    params.n_batch = params.n_ubatch = CPU_BATCH
    params.n_gpu_layers = 0
    params.cpuparams.n_threads = int(threads)
    params.cpuparams_batch.n_threads = int(threads)
    params.verbosity = 1
    params.ui = False
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
