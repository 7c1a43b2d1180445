"""Counts tokens in a process of its own: `python -m backends.token_counts MODEL_FOLDER`, one JSON object a line.

A line of standard input is {"texts": [...]}, one or two texts that are read together, or {"messages": [...]}, a
conversation that goes through the tokenizer's own chat template where it has one. The answers are numbers, one a line;
the first line says how many tokens the model reads at most, or null.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from backends.contract import EXIT_DONE, EXIT_FAILED
from backends.encoders import input_limit

_BATCH = 512


def main(arguments: list[str]) -> int:
    """Print the limit and then a count for each line; an error is one line of JSON and exit code 1."""
    folder = Path(arguments[0])
    try:
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:
        print(json.dumps({"error": f"{type(error).__name__}: {str(error).strip().splitlines()[0][:300]}"}), flush=True)
        return EXIT_FAILED
    print(json.dumps(_limit(folder, tokenizer)), flush=True)
    lines = (json.loads(line) for line in sys.stdin)
    while some := list(islice(lines, _BATCH)):
        for count in _counts(tokenizer, some):
            print(count)
    return EXIT_DONE


def _limit(folder: Path, tokenizer: Any) -> int | None:
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        config = {}
    return input_limit(config, tokenizer)


def _counts(tokenizer: Any, rows: list[dict[str, Any]]) -> Iterator[int]:
    for row in rows:
        messages = row.get("messages")
        if messages is not None and tokenizer.chat_template:
            yield len(tokenizer.apply_chat_template(messages, tokenize=True, return_dict=True)["input_ids"])
        else:
            texts = row.get("texts") or ["\n".join(message["content"] for message in messages or ())]
            yield len(tokenizer(*texts, verbose=False)["input_ids"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
