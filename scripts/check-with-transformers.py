"""Loads merged models and a PEFT export with Hugging Face transformers and PEFT, and prints their losses.

Not part of the tests (they need no Python). Compare with `mambatune eval DIR --format tokens --data IDS.jsonl`.
Usage: python3 scripts/check-with-transformers.py IDS.jsonl MODEL_DIR... [--peft BASE_DIR ADAPTER_DIR]
IDS.jsonl has rows {"input_ids": [...]} of one length. Run without the fused Mamba kernels.
"""
import json
import sys

import peft
import torch
import transformers

arguments = sys.argv[1:]
exported = None
if '--peft' in arguments:
    at = arguments.index('--peft')
    exported = arguments[at + 1:at + 3]
    arguments = arguments[:at]
ids = torch.tensor([json.loads(line)['input_ids'] for line in open(arguments[0])])


def load(directory):
    # float32 keeps A_log, D and norms as they are stored; `auto` would round them to the format of the matrices.
    return transformers.AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32, output_loading_info=True)


def loss(model):
    with torch.no_grad():
        return model.eval()(input_ids=ids, labels=ids, use_cache=False).loss.item()


print('torch', torch.__version__, 'transformers', transformers.__version__, 'peft', peft.__version__)
for directory in arguments[1:]:
    model, info = load(directory)
    print(directory, 'loss', loss(model), 'missing or surplus:', {key: list(value) for key, value in info.items() if value})
if exported:
    base, adapter = exported
    print(adapter, 'loss', loss(peft.PeftModel.from_pretrained(load(base)[0], adapter)))
