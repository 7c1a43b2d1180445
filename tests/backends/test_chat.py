"""Talking with a small language model: pieces as they come, the next token's candidates, the model from before."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from backends.contract import RunFiles, RunSpec, UsageError

TEXTS = ["The capital of France is Paris.", "I know three things.", "Ümläute: ä ö ü € 日本 🙂."]
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
ASKED = {"messages": [{"role": "user", "content": "ä ö?"}]}
GREEDY = {"greedy": True, "max_new_tokens": 12}


def save_model(folder: Path, seed: int) -> None:
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    words = Tokenizer(models.BPE())
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words.decoder = decoders.ByteLevel()
    special = ["<pad>", "<|im_start|>", "<|im_end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    words.train_from_iterator(
        TEXTS, trainers.BpeTrainer(vocab_size=280, special_tokens=special, initial_alphabet=alphabet)
    )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", eos_token="<|im_end|>")
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    torch.manual_seed(seed)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        max_position_embeddings=64,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
        **sizes,
    )
    LlamaForCausalLM(config).save_pretrained(folder)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> RunFiles:
    """A run whose model came from a base of other weights."""
    folder = tmp_path_factory.mktemp("chat")
    files = RunFiles(folder / "run")
    files.folder.mkdir()
    save_model(files.model, 1)
    save_model(folder / "base", 2)
    spec = RunSpec(
        "x", "text-generation", "full", str(folder / "base"), "/none.jsonl", columns={"messages": "messages"}
    )
    files.spec.write_text(tomli_w.dumps(spec.to_tables()))
    return files


@pytest.fixture(scope="module")
def talk(files: RunFiles) -> Any:
    from backends.chat import Talk

    return Talk(files)


def answered(talk: Any, stopped: bool = False, **asked: Any) -> tuple[str, dict[str, Any], list[dict[str, Any]]]:
    """The words of an answer, how it ended, and all lines."""
    from backends.chat import answer

    lines: list[dict[str, Any]] = []
    event = threading.Event()
    if stopped:
        event.set()
    answer(talk, {**ASKED, "settings": GREEDY, **asked}, lines.append, event)
    assert "done" in lines[-1] and all(set(line) == {"text"} for line in lines[:-1])
    return "".join(line["text"] for line in lines[:-1]), lines[-1]["done"], lines


def next_of(talk: Any, **asked: Any) -> dict[str, Any]:
    from backends.chat import candidates

    lines: list[dict[str, Any]] = []
    candidates(talk, {**ASKED, "settings": GREEDY, **asked}, lines.append)
    return lines[0]


def test_pieces_are_the_answer_of_the_model(talk: Any) -> None:
    import torch

    words, done, lines = answered(talk)
    writer = talk.tuned
    prompt = writer.prompt(ASKED["messages"])
    text = "<|im_start|>user\nä ö?<|im_end|>\n<|im_start|>assistant\n"
    assert writer.tokenizer.decode(prompt) == text
    with torch.inference_mode():
        ids = torch.tensor([prompt])
        whole = writer.model.generate(input_ids=ids, max_new_tokens=12, do_sample=False)[0, len(prompt) :].tolist()
    assert done["ids"] == [each for each in whole if each not in writer.stops]
    assert words == writer.text(done["ids"]) and len(lines) > 3
    assert done["why"] == ("end" if whole[-1] in writer.stops else "length") and done["tokens"] == len(done["ids"])


def test_an_answer_that_has_begun_goes_on_alike(talk: Any) -> None:
    words, done, _ = answered(talk)
    begun = done["ids"][:5]
    rest, whole, _ = answered(talk, so_far=begun, settings={**GREEDY, "max_new_tokens": 7})
    assert whole["ids"] == done["ids"] and talk.tuned.text(begun) + rest == words


def test_a_stop_ends_it_at_the_next_token(talk: Any) -> None:
    _, done, _ = answered(talk, stopped=True, settings={"max_new_tokens": 40})
    assert done["why"] == "stopped" and done["tokens"] == 1


def test_candidates_are_those_of_the_draw(talk: Any) -> None:
    found = next_of(talk, count=400)
    shares = [each["probability"] for each in found["candidates"]]
    assert found["text"] == "" and sum(shares) == pytest.approx(1, abs=1e-4) and shares == sorted(shares, reverse=True)
    assert [each["kept"] for each in found["candidates"]] == [True, *[False] * (len(shares) - 1)]
    best = found["candidates"][0]["id"]
    assert answered(talk, settings={**GREEDY, "max_new_tokens": 1})[1]["ids"] in ([best], [])
    ends = [each for each in found["candidates"] if each["ends"]]
    assert [each["text"] for each in ends] == ["<|im_end|>"]
    hot = next_of(talk, settings={"temperature": 5.0}, count=400)["candidates"]
    assert hot[0]["probability"] < shares[0]
    after = next_of(talk, so_far=[best])
    assert after["text"] == talk.tuned.text([best])


@pytest.mark.parametrize(("top_k", "top_p"), [(0, 1.0), (7, 1.0), (0, 0.5), (9, 0.8), (1, 0.1), (0, 0.01)])
def test_top_k_and_top_p_cut_as_transformers_does(top_k: int, top_p: float) -> None:
    import torch
    from transformers import TopKLogitsWarper, TopPLogitsWarper

    from backends.chat import Sampling, kept_tokens

    torch.manual_seed(top_k)
    logits = torch.randn(1, 50) * 2
    cut = TopKLogitsWarper(top_k)(None, logits) if top_k else logits
    cut = TopPLogitsWarper(top_p)(None, cut) if top_p < 1 else cut
    shares = logits.softmax(-1).sort(descending=True).values[0].tolist()
    assert kept_tokens(shares, Sampling(top_k=top_k, top_p=top_p)) == int((cut > -1e30).sum())


def test_characters_come_whole(talk: Any) -> None:
    import torch

    from backends.chat import _Stream

    pieces: list[str] = []
    stream = _Stream(talk.tuned, [], pieces.append)
    stream.put(torch.tensor([[1, 2, 3]]))  # the prompt
    ids = talk.tuned.tokenizer("日本 🙂.", add_special_tokens=False)["input_ids"]
    assert len(ids) > 8  # bytes
    for number in ids:
        stream.put(torch.tensor([number]))
    assert "".join(pieces) == "日本 🙂." and not any("\ufffd" in piece for piece in pieces)
    stream.put(torch.tensor([ids[0]]))
    stream.end()
    assert pieces[-1] == "\ufffd"


def test_the_model_from_before_answers_too(talk: Any) -> None:
    assert talk.has_base
    assert answered(talk, base=True)[1]["ids"] != answered(talk)[1]["ids"]


def test_an_adapter_is_taken_off_for_the_model_from_before(files: RunFiles, tmp_path: Path) -> None:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from backends.chat import Talk

    base = files.folder.parent / "base"
    run = RunFiles(tmp_path / "run")
    run.folder.mkdir()
    run.spec.write_text(files.spec.read_text())
    adapted = get_peft_model(AutoModelForCausalLM.from_pretrained(base), LoraConfig(task_type="CAUSAL_LM", r=4))
    torch.manual_seed(0)
    with torch.no_grad():
        for name, weights in adapted.named_parameters():
            if "lora_B" in name:
                weights.normal_(std=0.5)
    adapted.save_pretrained(run.model)
    AutoTokenizer.from_pretrained(base).save_pretrained(run.model)
    (run.model / "method.json").write_text('{"method": "lora"}')
    talk = Talk(run)
    assert talk.is_adapter
    plain = Talk(files)
    assert answered(talk, base=True)[1]["ids"] == answered(plain, base=True)[1]["ids"] != answered(talk)[1]["ids"]


def test_what_cannot_be_answered_is_told(talk: Any) -> None:
    long = {"messages": [{"role": "user", "content": "ä" * 100}]}
    with pytest.raises(UsageError, match="too long"):
        answered(talk, **long)
    with pytest.raises(UsageError, match="settings"):
        answered(talk, settings={"temperature": 0})
    assert answered(talk, settings={"greedy": True, "max_new_tokens": 4000})[1]["tokens"] < 64


def test_a_system_message_goes_where_the_template_takes_it(talk: Any) -> None:
    from backends.chat import Writer

    writer = Writer(talk.tuned.tokenizer, talk.tuned.model, {"takes_system": False})
    told = [{"role": "system", "content": "Be brief."}, *ASKED["messages"]]
    assert writer.tokenizer.decode(writer.prompt(told)).startswith("<|im_start|>user\nBe brief.\n\nä ö?<|im_end|>")
    bare = Writer(talk.tuned.tokenizer, talk.tuned.model, {"chats": False})
    assert bare.tokenizer.decode(bare.prompt(ASKED["messages"])) == "ä ö?"


def test_the_process_hears_a_stop_while_it_writes(files: RunFiles, repository: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "backends.chat", str(files.folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(repository), "HF_HUB_OFFLINE": "1"},
        text=True,
    )
    assert process.stdin is not None and process.stdout is not None

    def tell(line: Any) -> None:
        assert process.stdin is not None
        process.stdin.write(json.dumps(line) + "\n")
        process.stdin.flush()

    ready = json.loads(process.stdout.readline())["ready"]
    assert ready == {"device": "CPU", "chats": True, "base": True, "longest": 64}
    tell({"ask": {**ASKED, "settings": {"temperature": 0}}})
    assert "problem" in json.loads(process.stdout.readline())
    tell({"ask": {**ASKED, "settings": GREEDY}})
    tell({"stop": True})
    lines = []
    while not lines or "done" not in lines[-1]:
        lines.append(json.loads(process.stdout.readline()))
    assert lines[-1]["done"]["why"] in ("stopped", "length", "end")
    process.stdin.close()
    assert process.wait(60) == 0
    assert process.stdout.read() == ""
