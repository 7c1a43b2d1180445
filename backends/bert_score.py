"""How like in meaning texts are, by the vectors that an encoder has for their words (BERTScore, Zhang et al. 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from backends.contract import ForgeError

_TEXTS_AT_ONCE = 32
# Three quarters of the way up, about where the authors found the best layers: 9 of 12 of BERT, 17 of 24 of RoBERTa.
_DEPTH = 0.75


class Meaning:
    """An encoder from a local folder that compares texts; on the GPU where there is one.

    Raises ForgeError, before anything is trained, for a folder that holds none.
    """

    def __init__(self, folder: str) -> None:
        import torch
        from transformers import AutoModel, AutoTokenizer

        from backends.tuning import give_padding

        fixed = {"local_files_only": True, "trust_remote_code": False}
        try:
            self.tokenizer = AutoTokenizer.from_pretrained(folder, **fixed)
            model = AutoModel.from_pretrained(folder, use_safetensors=True, **fixed)
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise ForgeError(
                f"{Path(folder).name} cannot compare texts",
                str(error).strip().partition("\n")[0],
                "Give bertscore_model the folder of an encoder, such as BERT or RoBERTa, or leave it out.",
                folder,
            ) from error
        if model.config.is_encoder_decoder:
            model = model.get_encoder()
        give_padding(self.tokenizer, folder)
        self.model = model.eval().to("cuda" if torch.cuda.is_available() else "cpu")
        self.longest = min(512, self.tokenizer.model_max_length)

    def score(self, predictions: Sequence[str], references: Sequence[str]) -> float:
        """Mean F1 of the best matches between the tokens of text and reference, without weights or rescaling."""
        total = 0.0
        for start in range(0, len(predictions), _TEXTS_AT_ONCE):
            some = slice(start, start + _TEXTS_AT_ONCE)
            said, said_mask = self._vectors(predictions[some])
            truth, truth_mask = self._vectors(references[some])
            likeness = said @ truth.transpose(1, 2)
            likeness = likeness.masked_fill(~(said_mask[:, :, None] & truth_mask[:, None, :]), -1.0)
            precision = (likeness.amax(2) * said_mask).sum(1) / said_mask.sum(1)
            recall = (likeness.amax(1) * truth_mask).sum(1) / truth_mask.sum(1)
            f1 = 2 * precision * recall / (precision + recall).clamp_min(1e-9)
            total += float(f1.clamp_min(0.0).sum())
        return total / len(predictions)

    def _vectors(self, texts: Sequence[str]) -> tuple[Any, Any]:
        """The vectors of the tokens of some texts, of length 1, and which of them are not padding."""
        import torch

        coded = self.tokenizer(
            list(texts), truncation=True, max_length=self.longest, padding=True, return_tensors="pt"
        ).to(self.model.device)
        with torch.inference_mode():
            layers = self.model(**coded, output_hidden_states=True).hidden_states
        vectors = layers[round(_DEPTH * (len(layers) - 1))].float()
        return torch.nn.functional.normalize(vectors, dim=-1), coded["attention_mask"].bool()
