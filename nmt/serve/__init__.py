"""Serve runs over HTTP: the APIs of LibreTranslate and DeepL, our own, and a page (extra `serve`)."""
