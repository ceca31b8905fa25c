"""The engine that runs vLLM, in vLLM's own environment, which cannot be ours. Written against its documentation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from knowcoder.codec.wrapper import Wrapper
from knowcoder.errors import ConfigError
from knowcoder.predict.engines import Completion, answer_room


class VllmEngine:
    """Greedy answers of a model that vLLM runs on all GPUs of this machine that it is told to use.

    Args:
        context: tokens of prompt and answer that the model can hold; None leaves it to vLLM.

    Raises:
        ConfigError: vLLM is not installed.
    """

    can_constrain = True

    def __init__(self, model_dir: str | Path, wrapper: Wrapper, context: int | None) -> None:
        try:
            from vllm import LLM
        except ModuleNotFoundError as error:
            raise ConfigError(
                "engine=vllm: vLLM is not installed here; install knowcoder without extras into vLLM's environment, or "
                "start `vllm serve` there and use engine=openai"
            ) from error
        self.wrapper, self.context = wrapper, context
        self._llm: Any = LLM(
            model=str(model_dir), max_model_len=context, structured_outputs_config={"backend": "guidance"}
        )

    def complete(
        self,
        prompts: Sequence[list[int]],
        grammars: Sequence[str | None],
        max_new_tokens: int,
        progress: Callable[[int, Completion], None] | None = None,
    ) -> list[Completion]:
        """Answers to prompts, in their order; ``progress`` hears of them when all are there."""
        from vllm import SamplingParams
        from vllm.sampling_params import StructuredOutputsParams

        settings = [
            SamplingParams(
                temperature=0,
                max_tokens=answer_room(self.context, prompt, max_new_tokens),
                structured_outputs=None if grammar is None else StructuredOutputsParams(grammar=grammar),
            )
            for prompt, grammar in zip(prompts, grammars, strict=True)
        ]
        outputs = self._llm.generate([{"prompt_token_ids": prompt} for prompt in prompts], settings)
        answers = [self._completion(output.outputs[0]) for output in outputs]
        for index, answer in enumerate(answers):
            if progress:
                progress(index, answer)
        return answers

    def _completion(self, output: Any) -> Completion:
        ids = [number for number in output.token_ids if number != self.wrapper.eos_id]
        return Completion(self.wrapper.decode(ids), len(ids), output.finish_reason == "stop")
