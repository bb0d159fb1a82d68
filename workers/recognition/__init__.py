"""Recognisers of the entities in a text: the language model, and patterns for what has a form of its own."""
