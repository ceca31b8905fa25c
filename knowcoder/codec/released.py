"""Fixed strings of the published models and training rows, byte for byte, with their sources."""

from __future__ import annotations

# The chat template "KnowCoder": system, "\nInput:\n", query, "\nOutput:\n" (sft/src/llmtuner/data/template.py).
SYSTEM = (
    "You are a highly skilled assistant at digesting and extracting information from textual content. "
    "Below is an input containing standard type definitions and textual content. "
    "Please complete it with the extracted information in the form of structured code."
)
