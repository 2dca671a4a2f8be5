"""The parts of `bench.conversation`: a virtual room, a client in it, what is said there, scores."""
