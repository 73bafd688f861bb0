"""Hugging Face hub: students as folders or repositories of `config.json`, `model.safetensors` and a model card."""

from pathlib import Path

from huggingface_hub import ModelCard, PyTorchModelHubMixin

from pkdn_basicsr.archs import PKDNStudent
from pkdn_basicsr.archs.from_state_dict import student_arguments
from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.host.checkpoint.weights_file import read_weights

_CARD = """
---
{{ card_data }}
---

# Face super-resolution ×{{ scale }}: a student of PKDN

A `PKDNStudent` for faces, aligned and low in resolution. RGB in [0, 1] of (B, 3, h, w) becomes
(B, 3, {{ scale }}h, {{ scale }}w), which is not clamped.

    from pkdn_basicsr.integrations.hub import PKDNStudentHub

    net = PKDNStudentHub.from_pretrained('folder or repository')
    faces = net(lq).clamp(0, 1)

Method: [Prior Knowledge Distillation Network for Face Super-Resolution]({{ paper_url }}), as built in `pkdn_basicsr`.
Trained on: {{ training_data }}.
Licence of the weights: {{ weights_licence }}; the code has Apache-2.0. Faces that a network has drawn are no evidence
of who somebody is.
"""


class PKDNStudentHub(PKDNStudent, PyTorchModelHubMixin, library_name='pkdn_basicsr', pipeline_tag='image-to-image',
                     paper_url='https://arxiv.org/abs/2409.14385', model_card_template=_CARD,
                     tags=['basicsr', 'face-super-resolution', 'super-resolution']):
    """A `PKDNStudent` with `from_pretrained`, `save_pretrained` and `push_to_hub`; the arguments are the same."""

    @classmethod
    def from_checkpoint(cls, path: str | Path) -> 'PKDNStudentHub':
        """Build a student from weights alone, as training leaves them, in evaluation mode.

        Args:
            path: `.pth` or `.safetensors`; the averaged weights are taken where there are any.

        Raises:
            UsageError: No such file, no plain weights, or those of another network.
        """
        try:
            weights, _ = read_weights(str(path), 'params_ema')
            student = cls(**student_arguments(weights))
        except ValueError as error:
            raise UsageError(f'{path}: {error}') from None
        student.load_state_dict(weights)
        return student.eval()

    def generate_model_card(self, license: str = 'other', training_data: str = 'not stated', **kwargs) -> ModelCard:
        """Write the card; the arguments come from `save_pretrained(..., model_card_kwargs={...})`.

        Args:
            license: Of the weights, as the hub abbreviates it. What they were trained on may restrict it.
            training_data: What they were trained on.
            **kwargs: For the template.
        """
        card = super().generate_model_card(scale=self.upscale, weights_licence=license, training_data=training_data,
                                           **kwargs)
        card.data.license = license
        return card

    @classmethod
    def _from_pretrained(cls, *, strict: bool = True, **kwargs) -> 'PKDNStudentHub':
        # the hub's default would leave what does not fit at random values; its older releases forget eval()
        return super()._from_pretrained(strict=strict, **kwargs).eval()
