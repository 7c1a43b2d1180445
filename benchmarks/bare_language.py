"""The same training on chats without Forge TUI: TRL's SFTTrainer; prints the time after each step.

Its defaults, but for bfloat16, which it refuses without a GPU, and making activations again, which a run does not.
"""

import sys
import time

import torch
from datasets import load_dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
from trl import SFTConfig, SFTTrainer

rows_file, model_folder, output, batch, max_length, max_steps = sys.argv[1:]


class Clock(TrainerCallback):
    def on_step_end(self, args, state, control, **kwargs):  # type: ignore[no-untyped-def]
        print(f"step {time.time()}", flush=True)


rows = load_dataset("json", data_files=rows_file, split="train", cache_dir=f"{output}/cache")
tokenizer = AutoTokenizer.from_pretrained(model_folder)
model = AutoModelForCausalLM.from_pretrained(model_folder)
size = {"per_device_train_batch_size": int(batch), "max_length": int(max_length)}
same = {"bf16": torch.cuda.is_available(), "gradient_checkpointing": False}
arguments = SFTConfig(output, max_steps=int(max_steps), **size, **same)
SFTTrainer(model=model, args=arguments, train_dataset=rows, processing_class=tokenizer, callbacks=[Clock()]).train()
