"""The trainable side of distillation as one module, so that DDP and torch.compile wrap all of it."""

from collections.abc import Mapping

from torch import Tensor, nn


class StudentWithAdapters(nn.Module):
    """A student and the 1x1 convolutions that bring its features to the teacher's width.

    The adapters are trained but are no part of the student: its checkpoint does not know them.

    Args:
        student: A network with `forward_features(lq) -> (sr, {name: feature})`.
        adapters: Student feature name -> module; names without one pass unchanged.
    """

    def __init__(self, student: nn.Module, adapters: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.student = student
        self.adapters = nn.ModuleDict(adapters)

    def forward(self, lq: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return `sr` and the student's features, adapted."""
        sr, features = self.student.forward_features(lq)
        for name, adapter in self.adapters.items():
            features[name] = adapter(features[name])
        return sr, features
