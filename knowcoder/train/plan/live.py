"""How many bytes of tensors live at a time, counted operation by operation, with or without data in them."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveBytes(TorchDispatchMode):
    """Counts the memory of every tensor that is made inside this context, until it is freed.

    Attributes:
        live: bytes at this moment. peak: the most there were since the last `restart`.
    """

    def __init__(self, held: Iterable[Any] = ()) -> None:
        """Begin with nothing; tensors of `held` were there before and are not counted."""
        super().__init__()
        self.live = self.peak = 0
        self._known = {part.untyped_storage()._cdata for part in held if isinstance(part, torch.Tensor)}

    def restart(self) -> None:
        """Forget the peak so far."""
        self.peak = self.live

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for part in tree_leaves(result):
            if isinstance(part, torch.Tensor):
                self._add(part.untyped_storage())
        return result

    def _add(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self._known:
            return
        self._known.add(key)
        self.live += size
        self.peak = max(self.peak, self.live)
        weakref.finalize(storage, self._drop, key, size)

    def _drop(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.live -= size
