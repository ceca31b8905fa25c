"""Run by torchrun: a converted model is loaded into plain DeepSpeed, one stage per rank, and compared."""

from __future__ import annotations

import sys
from pathlib import Path

import deepspeed
import torch
from deepspeed.pipe import LayerSpec, PipelineModule
from safetensors.torch import load_file
from transformers import AutoConfig
from transformers.models.llama.modeling_llama import LlamaDecoderLayer, LlamaRMSNorm

source, checkpoint = map(Path, sys.argv[1:])
deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False  # it would be compiled
deepspeed.init_distributed("gloo")
config = AutoConfig.from_pretrained(source)
layers = [LayerSpec(LlamaDecoderLayer, config, index) for index in range(config.num_hidden_layers)]
specs = [
    LayerSpec(torch.nn.Embedding, config.vocab_size, config.hidden_size),
    *layers,
    LayerSpec(LlamaRMSNorm, config.hidden_size),
    LayerSpec(torch.nn.Linear, config.hidden_size, config.vocab_size, bias=False),
]
stages = torch.distributed.get_world_size()
module = PipelineModule(specs, num_stages=stages, partition_method="uniform")
settings = {"train_batch_size": 1, "train_micro_batch_size_per_gpu": 1, "zero_optimization": {"stage": 1}}
engine, *_ = deepspeed.initialize(model=module, optimizer=torch.optim.AdamW(module.parameters()), config=settings)
path, _ = engine.load_checkpoint(str(checkpoint), load_module_only=True)
assert path is not None

names = ["model.embed_tokens", *(f"model.layers.{index}" for index in range(len(layers))), "model.norm", "lm_head"]
tensors = load_file(source / "model.safetensors")
compared = 0
for index, layer in enumerate(module.forward_funcs, module._local_start):
    for name, tensor in layer.state_dict().items():
        assert torch.equal(tensor, tensors[f"{names[index]}.{name}"]), (names[index], name)
        compared += 1
count = torch.tensor(compared)
torch.distributed.all_reduce(count)
assert int(count) == len(tensors)
torch.distributed.destroy_process_group()
