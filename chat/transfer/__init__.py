"""Conversations out of here and into here: JSON, Markdown and PDF; OpenAI's and Open WebUI's files.

`docs/transfer.md` describes the formats.
"""
