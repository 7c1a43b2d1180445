"""The same training of chats by TRL alone with its defaults; prints the time after each step and the peak memory."""

import sys
import time

import torch
from datasets import load_dataset
from peft import LoraConfig
from transformers import BitsAndBytesConfig, TrainerCallback
from trl import SFTConfig, SFTTrainer

rows_file, model_folder, output, batch, max_length, max_steps, method = sys.argv[1:]
on_gpu = torch.cuda.is_available()


class Clock(TrainerCallback):
    def on_step_end(self, args, state, control, **kwargs):  # type: ignore[no-untyped-def]
        if on_gpu:
            torch.cuda.synchronize()
        print(f"step {time.time()}", flush=True)


rows = load_dataset("json", data_files=rows_file, split="train", cache_dir=f"{output}/cache")
four_bits = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.bfloat16)
arguments = SFTConfig(
    output,
    per_device_train_batch_size=int(batch),
    max_length=int(max_length),
    max_steps=int(max_steps),
    save_strategy="no",
    bf16=on_gpu,
    model_init_kwargs={"quantization_config": four_bits} if method == "qlora" else None,
)
adapter = None if method == "full" else LoraConfig(task_type="CAUSAL_LM")
trainer = SFTTrainer(model=model_folder, args=arguments, train_dataset=rows, peft_config=adapter, callbacks=[Clock()])
trainer.train()
print(f"peak {torch.cuda.max_memory_allocated() if on_gpu else 0}", flush=True)
