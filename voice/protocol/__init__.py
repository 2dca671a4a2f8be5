"""The wire: OpenAI Realtime events and the frames of `vivavoce.v1`. Pure."""
