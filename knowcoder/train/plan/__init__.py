"""What a training run would need, said before it starts; `plan` is the way in."""

from knowcoder.train.plan.report import plan

__all__ = ["plan"]
