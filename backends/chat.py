"""Talks with the language model of a finished run in a process of its own: python -m backends.chat RUN_FOLDER

Lines of JSON both ways. The process is told

    {"ask": {"messages": [{"role": ..., "content": ...}], "settings": {...}, "so_far": [ids], "base": false}}
    {"next": {... the same, "count": 10}}
    {"stop": true}

`ask` has the last message answered, after the tokens `so_far` of an answer that has begun, by the model before its
training where `base` says so. `next` asks which tokens may follow. It tells `{"ready": {...}}` once, then

    for `ask`   pieces {"text": ...}, and {"done": {tokens, seconds, why, ids}} with why one of end, length, stopped
    for `next`  {"candidates": [{id, text, probability, kept, ends}], "text": the answer so far}, the likeliest first

Probabilities are at the temperature asked for, and `kept` says whether top-k and top-p leave a token in the draw. An
error of a question is `{"problem": {what, why, fix}}`, and the next one may be asked; after `{"error": {...}}` no line
follows.
"""

from __future__ import annotations

import json
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from backends.contract import EXIT_DONE, EXIT_FAILED, ForgeError, RunFiles, UsageError, read_json, read_spec
from backends.predict import device_in_use, explain_asking, open_answers

_NOT_WHOLE = "�"  # what a decoder writes for the first bytes of a character


@dataclass(frozen=True)
class Sampling:
    """How the next token is drawn; greedy takes the likeliest."""

    temperature: float = 0.7
    top_k: int = 50
    top_p: float = 0.95
    max_new_tokens: int = 256
    greedy: bool = False

    def arguments(self) -> dict[str, Any]:
        """For `generate` of Transformers."""
        most = {"max_new_tokens": self.max_new_tokens}
        if self.greedy:
            return {**most, "do_sample": False, "temperature": None, "top_k": None, "top_p": None}
        drawn = {"temperature": self.temperature, "top_k": self.top_k, "top_p": self.top_p}
        return {**most, "do_sample": True, **drawn}


class Writer:
    """A model with its tokenizer and the way it writes conversations."""

    def __init__(self, tokenizer: Any, model: Any, learned: Mapping[str, Any]) -> None:
        self.tokenizer, self.model = tokenizer, model
        self.chats = bool(tokenizer.chat_template) and learned.get("chats", True)
        self.takes_system = learned.get("takes_system", True)
        ends = getattr(model.generation_config, "eos_token_id", None)
        known = [tokenizer.eos_token_id, *(ends if isinstance(ends, list) else [ends])]
        self.stops = sorted({each for each in (learned.get("stops") or known) if isinstance(each, int)})

    def prompt(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
        """A conversation as tokens up to its next answer; a model of plain texts goes on with the last."""
        if not self.chats:
            return list(self.tokenizer(messages[-1]["content"], add_special_tokens=False)["input_ids"])
        told = [dict(each) for each in messages]
        if not self.takes_system and told and told[0]["role"] == "system" and len(told) > 1:
            system = told.pop(0)["content"]
            told[0]["content"] = f"{system}\n\n{told[0]['content']}"
        written = self.tokenizer.apply_chat_template(told, add_generation_prompt=True, tokenize=True, return_dict=True)
        return list(written["input_ids"])

    def text(self, ids: Sequence[int]) -> str:
        """Tokens as words, without those that only mark."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True))

    @property
    def longest(self) -> int | None:
        """How many tokens the model has places for; None where its config does not say."""
        config = self.model.config
        for name in ("max_position_embeddings", "n_positions"):
            found = getattr(config, name, None)
            if isinstance(found, int) and found > 0:
                return found
        return None


class Talk:
    """The loaded model, and on demand the one it was trained from."""

    def __init__(self, files: RunFiles) -> None:
        from backends.writing import CHAT_FILE, load_writer

        self._files = files
        self._source = read_spec(files.spec).model
        learned = read_json(files.model / CHAT_FILE) or {}
        self.tuned = Writer(*load_writer(files.model), learned)
        self._base: Writer | None = None
        self._learned = learned

    @property
    def is_adapter(self) -> bool:
        """Whether the base is there already, below what was learned."""
        return hasattr(self.tuned.model, "disable_adapter")

    @property
    def has_base(self) -> bool:
        """Whether the model before its training can be asked too."""
        return self.is_adapter or Path(self._source).is_dir()

    def base(self) -> tuple[Writer, Any]:
        """The model before its training, and what to enter while it writes; loaded when it is asked first."""
        if self.is_adapter:
            return self.tuned, self.tuned.model.disable_adapter()
        if self._base is None:
            if not self.has_base:
                raise UsageError(
                    "There is no model from before the training",
                    f"{self._source} is not a folder on this machine",
                    "A run from random weights has none.",
                )
            import transformers

            folder = self._source
            tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
            tokenizer.chat_template = tokenizer.chat_template or self.tuned.tokenizer.chat_template
            model = transformers.AutoModelForCausalLM.from_pretrained(
                folder,
                local_files_only=True,
                use_safetensors=True,
                trust_remote_code=False,
                dtype=self.tuned.model.dtype,
            )
            kept = {name: value for name, value in self._learned.items() if name != "stops"}
            self._base = Writer(tokenizer, model.eval().to(self.tuned.model.device), kept)
        return self._base, nullcontext()


class _Stream:
    """What `generate` calls with each token: passes on words once their characters are whole."""

    def __init__(self, writer: Writer, before: Sequence[int], tell: Callable[[str], None]) -> None:
        self._writer, self._tell = writer, tell
        self.ids = list(before)
        self._said = writer.text(before)
        self._is_prompt = True

    def put(self, tokens: Any) -> None:
        """The prompt first, then token by token."""
        if self._is_prompt:
            self._is_prompt = False
            return
        for token in tokens.reshape(-1).tolist():
            if token in self._writer.stops:
                return
            self.ids.append(token)
            text = self._writer.text(self.ids)
            if not text.endswith(_NOT_WHOLE):
                if len(text) > len(self._said):
                    self._tell(text[len(self._said) :])
                self._said = text

    def end(self) -> None:
        """Bytes of a character that never came whole are told as they are."""
        text = self._writer.text(self.ids)
        if len(text) > len(self._said):
            self._tell(text[len(self._said) :])


def sampling_of(settings: Mapping[str, Any]) -> Sampling:
    """The settings of a question; raises UsageError for what no draw can take."""
    names = {each.name for each in fields(Sampling)}
    found = Sampling(**{name: value for name, value in settings.items() if name in names})
    good = found.temperature > 0 and found.top_k >= 0 and 0 < found.top_p <= 1 and found.max_new_tokens >= 1
    if not good:
        raise UsageError(
            "An answer cannot be drawn with these settings",
            f"temperature={found.temperature:g}, top_k={found.top_k}, top_p={found.top_p:g}, "
            f"max_new_tokens={found.max_new_tokens}",
            "Temperature is above 0, top_p above 0 and up to 1, max_new_tokens from 1; greedy needs no temperature.",
        )
    return found


def _begin(talk: Talk, asked: Mapping[str, Any]) -> tuple[Writer, Any, list[int], list[int]]:
    """The writer, what to enter while it writes, the prompt with the answer so far, and that answer."""
    writer, entered = talk.base() if asked.get("base") else (talk.tuned, nullcontext())
    so_far = [int(each) for each in asked.get("so_far") or ()]
    prompt = writer.prompt(asked["messages"])
    longest = writer.longest
    if not prompt:
        raise UsageError("There is nothing to answer", "the text is empty", "Type something.")
    if longest is not None and len(prompt) + len(so_far) >= longest:
        raise UsageError(
            "The conversation is too long for this model",
            f"it has {len(prompt) + len(so_far):,} tokens, and the model has places for {longest:,}",
            "Begin a new conversation.",
        )
    return writer, entered, prompt, so_far


def answer(
    talk: Talk, asked: Mapping[str, Any], say: Callable[[dict[str, Any]], None], stopped: threading.Event
) -> None:
    """Write an answer, piece by piece, until its end, the most tokens, or a stop."""
    import torch
    from transformers import StoppingCriteriaList

    writer, entered, prompt, so_far = _begin(talk, asked)
    how = sampling_of(asked.get("settings") or {}).arguments()
    if writer.longest is not None:
        room = writer.longest - len(prompt) - len(so_far)
        how["max_new_tokens"] = min(how["max_new_tokens"], room)
    stream = _Stream(writer, so_far, lambda text: say({"text": text}))
    ids = torch.tensor([[*prompt, *so_far]], device=writer.model.device)
    began = time.monotonic()

    def told_to_stop(input_ids: Any, scores: Any, **more: Any) -> Any:
        return torch.full((1,), stopped.is_set(), device=input_ids.device)

    with entered, torch.inference_mode():
        written = writer.model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            eos_token_id=writer.stops or None,
            pad_token_id=_padding(writer),
            streamer=stream,
            stopping_criteria=StoppingCriteriaList([told_to_stop]),
            **how,
        )
    last = int(written[0, -1])
    count = len(stream.ids) - len(so_far)
    why = "end" if last in writer.stops else "stopped" if stopped.is_set() else "length"
    say({"done": {"tokens": count, "seconds": time.monotonic() - began, "why": why, "ids": stream.ids}})


def _padding(writer: Writer) -> int | None:
    pad = writer.tokenizer.pad_token_id
    return pad if pad is not None else (writer.stops[0] if writer.stops else None)


def candidates(talk: Talk, asked: Mapping[str, Any], say: Callable[[dict[str, Any]], None]) -> None:
    """The tokens that may come next, the likeliest first, with their probabilities at the temperature asked for."""
    import torch

    writer, entered, prompt, so_far = _begin(talk, asked)
    how = sampling_of(asked.get("settings") or {})
    ids = torch.tensor([[*prompt, *so_far]], device=writer.model.device)
    with entered, torch.inference_mode():
        found = writer.model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=1,
            do_sample=False,
            temperature=None,
            top_k=None,
            top_p=None,
            pad_token_id=_padding(writer),
            output_logits=True,
            return_dict_in_generate=True,
        )
    logits = found.logits[0][0].float()
    shares = (logits / (1.0 if how.greedy else how.temperature)).softmax(-1)
    ordered = shares.sort(descending=True)
    kept = kept_tokens(ordered.values.tolist(), how)
    said = writer.text(so_far)
    told = []
    for place in range(min(int(asked.get("count") or 10), len(shares))):
        number = int(ordered.indices[place])
        text = writer.text([*so_far, number])
        piece = text[len(said) :] if text.startswith(said) else str(writer.tokenizer.decode([number]))
        ends = number in writer.stops
        told.append(
            {
                "id": number,
                "text": str(writer.tokenizer.decode([number])) if ends else piece,
                "probability": float(ordered.values[place]),
                "kept": place < kept,
                "ends": ends,
            }
        )
    say({"candidates": told, "text": said})


def kept_tokens(shares: Sequence[float], how: Sampling) -> int:
    """How many tokens, the likeliest first, are in the draw: top-k cuts first, top-p what is left (as Transformers).

    Greedy keeps one. Of top-p those are kept that are needed to reach it, at least one.
    """
    if how.greedy:
        return 1
    left = list(shares[: how.top_k or len(shares)])
    whole, reached = sum(left), 0.0
    for count, share in enumerate(left, 1):
        reached += share / whole
        if reached >= how.top_p:
            return count
    return len(left)


# --- the process ---------------------------------------------------------------------------------------------------


_Asked = queue.SimpleQueue[tuple[dict[str, Any], threading.Event] | None]


def _listen(lines: Iterable[str], asked: _Asked) -> None:
    """Read on while an answer is written, so that a stop, of all that was asked before it, is heard at once."""
    stops: list[threading.Event] = []
    for line in lines:
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict) and not found.get("stop"):
            stops = [*stops[-1:], threading.Event()]
            asked.put((found, stops[-1]))
        elif isinstance(found, dict):
            for each in stops:
                each.set()
    for each in stops:  # nobody waits for an answer any more
        each.set()
    asked.put(None)


def main(arguments: list[str]) -> int:
    """Answer until stdin ends; 1 when the model cannot be loaded or its memory is gone."""
    files = RunFiles(Path(arguments[0]).resolve())
    stdout = open_answers()

    def say(line: dict[str, Any]) -> None:
        stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
        stdout.flush()

    asked: _Asked = queue.SimpleQueue()
    try:
        talk = Talk(files)
        ready = {
            "device": device_in_use(),
            "chats": talk.tuned.chats,
            "base": talk.has_base,
            "longest": talk.tuned.longest,
        }
        say({"ready": ready})
        threading.Thread(target=_listen, args=(sys.stdin, asked), daemon=True).start()
        while (taken := asked.get()) is not None:
            question, stopped = taken
            try:
                if "ask" in question:
                    answer(talk, question["ask"], say, stopped)
                elif "next" in question:
                    candidates(talk, question["next"], say)
            except ForgeError as error:
                say({"problem": error.to_json()})
    except BrokenPipeError:
        return EXIT_FAILED  # nobody reads the answers any more
    except Exception as error:
        if not isinstance(error, ForgeError):
            traceback.print_exc()
        say({"error": explain_asking(error, files).to_json()})
        return EXIT_FAILED
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
