"""The model store: the manifest of weight files, and the code that fetches and verifies them."""
