"""Other frameworks' voice pipelines, each in a process and an environment of its own.

`*_peer.py` run in the peer's environment and import nothing of Vivavoce but what has no
dependencies beyond numpy: `ear`, `microphone`, `service`.
"""
