"""Encoder-decoders and what they want to be told: a small one from random weights, or any local model folder."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from backends.contract import ForgeError, UsageError, nearest, read_json, write_json
from backends.encoders import train_tokenizer
from backends.job import Job
from backends.options.writing import Seq2SeqOptions
from backends.transformers_training import load_model
from backends.tuning import SEQ2SEQ, Base, load_finished, virtual_tokens

WRITING_FILE = "writing.json"
# What T5 learned to translate between, by the names it learned (Raffel et al. 2020, appendix D).
_T5_LANGUAGES = {"en": "English", "de": "German", "fr": "French", "ro": "Romanian"}
# Codes of three letters, as NLLB and its kin write languages, by those of two (ISO 639).
_THREE_LETTERS = dict(
    each.split(":")
    for each in (
        "ar:arb bg:bul bn:ben ca:cat cs:ces da:dan de:deu el:ell en:eng es:spa et:est fa:pes fi:fin fr:fra he:heb "
        "hi:hin hr:hrv hu:hun id:ind it:ita ja:jpn ko:kor lt:lit lv:lvs nl:nld no:nob pl:pol pt:por ro:ron ru:rus "
        "sk:slk sl:slv sr:srp sv:swe th:tha tr:tur uk:ukr ur:urd vi:vie zh:zho"
    ).split()
)
_LANGUAGE = re.compile(r"[a-z]{2,3}_[A-Za-z]{2,4}")


@dataclass(frozen=True)
class Writing:
    """How sources and targets are given to a model; kept beside it, so that it is asked as it was taught.

    `max_length` and `max_target_length` are what the model can take where that is less than was asked for.
    """

    prefix: str
    max_length: int
    max_target_length: int
    source_lang: str | None = None
    target_lang: str | None = None


# --- the model ---------------------------------------------------------------------------------------------------


def load_writer(job: Job, texts: Iterable[str]) -> tuple[Any, Any]:
    """Tokenizer and model of the spec; a preset's tokenizer is trained on the texts, or is that of the checkpoint."""
    options: Seq2SeqOptions = job.options
    if not job.spec.model.startswith("preset:"):
        require_encoder_decoder(Path(job.spec.model))

    def make(tokenizer: Any) -> Base:
        tokenizer = tokenizer or writers_tokenizer(texts, options.lowercase)
        return Base(tokenizer, tiny_encoder_decoder(tokenizer))

    return load_model(job, SEQ2SEQ, make)


def writers_tokenizer(texts: Iterable[str], lowercase: bool) -> Any:
    """A byte-level BPE tokenizer trained on the texts, whose texts end with a token, as a writer must learn to end."""
    from tokenizers import processors

    tokenizer = train_tokenizer(texts, lowercase)
    tokenizer.eos_token = tokenizer.sep_token
    end = (tokenizer.eos_token, tokenizer.eos_token_id)
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {end[0]}", pair=f"$A {end[0]} $B {end[0]}", special_tokens=[end]
    )
    return tokenizer


def tiny_encoder_decoder(tokenizer: Any) -> Any:
    """A Marian model of about two million parameters from random weights.

    With its fixed places it learned the order of words from 800 pairs in 300 steps, a T5 of this size only half of it.
    """
    import transformers

    config = transformers.MarianConfig(
        vocab_size=len(tokenizer),
        d_model=128,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=256,
        decoder_ffn_dim=256,
        max_position_embeddings=1024,
        dropout=0.1,
        init_std=0.05,
        scale_embedding=True,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        forced_eos_token_id=None,
        decoder_start_token_id=tokenizer.pad_token_id,
    )
    return transformers.MarianMTModel(config)


def require_encoder_decoder(folder: Path) -> None:
    """Refuse a model that reads only, or that only goes on writing; raises ForgeError with what to take instead."""
    config = read_json(folder / "config.json") or {}
    kind = config.get("model_type", "unknown")
    if config.get("is_encoder_decoder") or config.get("model_type") in (None, "t5", "mt5", "umt5", "encoder-decoder"):
        return
    writes = any("CausalLM" in name or "LMHead" in name for name in config.get("architectures") or ())
    raise ForgeError(
        f"{folder.name} is no encoder-decoder",
        f"a {kind} model "
        + ("goes on writing a text and has no encoder of its own" if writes else "reads texts and cannot write any"),
        "Give a T5, BART, mBART, Marian or Pegasus model; "
        + ("or train this one by text-generation." if writes else "or train this one to sort or mark texts."),
        str(folder),
    )


def load_to_write(folder: Path) -> tuple[Any, Any, Writing]:
    """Tokenizer and model of a finished run, and how they are asked."""
    from transformers import GenerationConfig

    writing = Writing(**(read_json(folder / WRITING_FILE) or {}))
    tokenizer, model = load_finished(folder, SEQ2SEQ)
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model  # it is what an adapter writes with
    inner.generation_config = GenerationConfig.from_pretrained(folder)
    set_languages(tokenizer, writing)
    return tokenizer, model, writing


def save_writing(model: Any, folder: Path, writing: Writing) -> None:
    """Keep beside the model how it is asked and how it writes; an adapter would not keep the latter."""
    model.generation_config.save_pretrained(folder)
    write_json(folder / WRITING_FILE, asdict(writing))


# --- what it is told -----------------------------------------------------------------------------------------------


def writing_for(job: Job, tokenizer: Any, model: Any) -> Writing:
    """The prefix, lengths and languages of a run: as chosen, else as the model was taught.

    Raises UsageError for languages that the model does not know or that nothing says.
    """
    options: Seq2SeqOptions = job.options
    source, target = (_language(job, role) for role in ("source", "target"))
    known = language_codes(tokenizer)
    if known:
        source, target = required_language(known, source, "source"), required_language(known, target, "target")
    prefix = prefix_for(job, model, source, target)
    added = len(tokenizer(prefix, add_special_tokens=False)["input_ids"]) if prefix else 0
    if prefix:
        job.events.notice(f"each source begins with {prefix!r}, {added} tokens beside max_length")
    lengths = []
    wanted = {"max_length": options.max_length + added, "max_target_length": options.max_target_length}
    for (name, length), limit in zip(wanted.items(), position_limits(model)):
        lengths.append(length if limit is None else min(length, limit))
        if lengths[-1] < length:
            job.events.notice(f"the model has {limit:,} places, so {name} is {limit:,} and not {length:,}")
    writing = Writing(prefix, lengths[0], lengths[1], source if known else None, target if known else None)
    set_languages(tokenizer, writing)
    return writing


def prefix_for(job: Job, model: Any, source: str | None, target: str | None) -> str:
    """What is put before each source; T5 was taught its tasks by such words, other models were not."""
    chosen = job.options.source_prefix
    if chosen == "off":
        return ""
    if chosen != "auto":
        return f"{chosen} "
    if model.config.model_type != "t5" or job.spec.model.startswith("preset:"):
        return ""
    if job.task.id == "summarization":
        return "summarize: "
    names = [_T5_LANGUAGES.get(each or "") for each in (source, target)]
    if job.task.id == "translation" and all(names):
        return f"translate {names[0]} to {names[1]}: "
    return ""


def _language(job: Job, role: str) -> str | None:
    """The language of a side: as chosen, else the column's name where that is a code, such as `en`."""
    chosen: str | None = getattr(job.options, f"{role}_lang")
    if chosen is not None:
        return chosen
    column = job.spec.columns[role].rpartition(".")[2].lower()
    return column if column in _THREE_LETTERS else None


def language_codes(tokenizer: Any) -> Mapping[str, int]:
    """The languages that a tokenizer marks, each with its token; empty for models that are told no language."""
    if not hasattr(tokenizer, "src_lang"):
        return {}
    if hasattr(tokenizer, "get_lang_id"):  # M2M100 writes __de__ for de
        return {code: tokenizer.get_lang_id(code) for code in tokenizer.lang_code_to_token}
    codes = [each for each in tokenizer.get_vocab() if _LANGUAGE.fullmatch(each)]
    return {code: tokenizer.convert_tokens_to_ids(code) for code in sorted(codes)}


def required_language(known: Mapping[str, int], wanted: str | None, role: str) -> str:
    """The code that a model has for a language; raises UsageError where there is none or nothing says which."""
    setting = f"{role}_lang"
    if wanted is None:
        raise UsageError(
            f"Nothing says what language the {role} is",
            "this model is told the languages, and the column is not called after one",
            f"Name it: --set {setting}=CODE, one of {', '.join(list(known)[:4])} …",
        )
    begins = (wanted.lower(), _THREE_LETTERS.get(wanted.lower(), wanted.lower()))
    found = [code for code in known if code.lower() == wanted.lower()]
    found = found or [code for code in known if code.partition("_")[0] in begins]
    if len(found) != 1:
        raise UsageError(
            f"{setting} = {wanted!r} is not possible",
            f"the model knows {', '.join(found)} by that name" if found else "the model does not know this language",
            f"Give one of its codes: {', '.join(found or list(known)[:6])}{nearest(wanted, tuple(known))}.",
        )
    return found[0]


def set_languages(tokenizer: Any, writing: Writing) -> None:
    """Tell the tokenizer between which languages it works."""
    if writing.source_lang is not None:
        tokenizer.src_lang, tokenizer.tgt_lang = writing.source_lang, writing.target_lang


def position_limits(model: Any) -> tuple[int | None, int | None]:
    """The most tokens that encoder and decoder have places for; None for models that count distances, as T5 does."""
    config = model.config.to_dict()
    added = virtual_tokens(model)
    if "relative_attention_num_buckets" in config:
        return None, None
    found = []
    for side in ("encoder", "decoder"):
        own = config.get(side)  # of a model that is made of two
        places = own.get("max_position_embeddings") if isinstance(own, dict) else config.get("max_position_embeddings")
        places = config.get(f"max_{side}_position_embeddings", places)
        found.append(places - added if isinstance(places, int) and places > added else None)
    return found[0], found[1]


def prepare_generation(job: Job, tokenizer: Any, model: Any, writing: Writing) -> None:
    """Set how the model writes, in its generation config, which is kept with it.

    What a model brings for texts of another kind, such as BART's least length for news, is taken back.
    """
    options: Seq2SeqOptions = job.options
    config = model.generation_config
    beams = options.generation_num_beams
    config.update(do_sample=False, num_beams=beams, early_stopping=beams > 1, min_length=0)
    config.temperature = config.top_k = config.top_p = config.min_new_tokens = config.max_new_tokens = None
    longest = options.max_new_tokens or writing.max_target_length
    limit = position_limits(model)[1]
    config.max_length = min(longest, limit - 1 if limit is not None else longest) + 1  # it counts the first token
    if options.length_penalty is not None and beams > 1:
        config.length_penalty = options.length_penalty
    elif beams == 1:
        config.length_penalty = None
        if options.length_penalty is not None:
            job.events.notice("length_penalty weighs beams against each other; with one beam it does nothing")
    if options.no_repeat_ngram_size is not None:
        config.no_repeat_ngram_size = options.no_repeat_ngram_size
    config.pad_token_id = tokenizer.pad_token_id
    _set_first_tokens(tokenizer, model, writing)


def _set_first_tokens(tokenizer: Any, model: Any, writing: Writing) -> None:
    """The token that a text begins with: a model of many languages is told by it which one to write."""
    config = model.generation_config
    if writing.target_lang is not None:
        mark = language_codes(tokenizer)[writing.target_lang]
        if type(tokenizer).__name__.startswith("MBartTokenizer"):  # the first one of mBART begins with the language
            model.config.decoder_start_token_id = config.decoder_start_token_id = mark
            config.forced_bos_token_id = None
        else:
            config.forced_bos_token_id = mark
    if getattr(model.config, "decoder_start_token_id", None) is None:
        first = next(
            each
            for each in (tokenizer.bos_token_id, tokenizer.cls_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id)
            if each is not None
        )
        model.config.decoder_start_token_id = first
    if config.decoder_start_token_id is None:
        config.decoder_start_token_id = model.config.decoder_start_token_id
    if config.eos_token_id is None:
        config.eos_token_id = tokenizer.eos_token_id
