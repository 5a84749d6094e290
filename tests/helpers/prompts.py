"""Prompts that are hard to tokenize."""

PROMPTS = ["a smiling woman with long hair", "", "wow! a man!", "héllo 🙂 日本"]
