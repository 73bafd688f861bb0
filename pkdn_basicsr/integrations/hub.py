"""Hugging Face hub: students as folders or repositories of `config.json`, `model.safetensors` and a model card."""

from pathlib import Path

from huggingface_hub import ModelCard, PyTorchModelHubMixin

from pkdn_basicsr.archs import PKDNStudent
from pkdn_basicsr.archs.from_state_dict import student_arguments
from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.weights.card import NOT_STATED, Card
from pkdn_basicsr.weights.trained_network import load_trained

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
Trained on: {{ training_data }}. Protocol: {{ protocol }}.
Licence of the weights: {{ weights_licence }}; the code has Apache-2.0. Faces that a network has drawn are no evidence
of who somebody is.
"""


class PKDNStudentHub(PKDNStudent, PyTorchModelHubMixin, library_name='pkdn_basicsr', pipeline_tag='image-to-image',
                     paper_url='https://arxiv.org/abs/2409.14385', model_card_template=_CARD,
                     tags=['basicsr', 'face-super-resolution', 'super-resolution']):
    """A `PKDNStudent` with `from_pretrained`, `save_pretrained` and `push_to_hub`; the arguments are the same.

    Attributes:
        card: What the file of `from_checkpoint` says about itself; None for other students.
    """

    card: Card | None = None

    @classmethod
    def from_checkpoint(cls, path: str | Path) -> 'PKDNStudentHub':
        """Build a student from one file, in evaluation mode.

        Args:
            path: `.pth` as training leaves it (the averaged weights are taken where there are any), `.safetensors`, or
                the name of a shipped student.

        Raises:
            UsageError: No such file, no plain weights, or those of another network.
        """
        net, card = load_trained(path)
        try:
            student = cls(**student_arguments(net.state_dict()))
        except ValueError as error:
            raise UsageError(f'{path}: {error}') from None
        student.load_state_dict(net.state_dict())
        student.card = card
        return student.eval()

    def generate_model_card(self, license: str = 'other', training_data: str = NOT_STATED, **kwargs) -> ModelCard:
        """Write the card; the arguments come from `save_pretrained(..., model_card_kwargs={...})`.

        Args:
            license: Of the weights, as the hub abbreviates it. What they were trained on may restrict it. Where it is
                `other`, the text has what the weights' file says.
            training_data: What they were trained on.
            **kwargs: For the template.
        """
        licence = license
        if license == 'other':
            licence = self.card.licence if self.card else NOT_STATED
        card = super().generate_model_card(scale=self.upscale, weights_licence=licence, training_data=training_data,
                                           protocol=self.card.protocol if self.card else NOT_STATED, **kwargs)
        card.data.license = license
        return card

    @classmethod
    def _from_pretrained(cls, *, strict: bool = True, **kwargs) -> 'PKDNStudentHub':
        # the hub's default would leave what does not fit at random values; its older releases forget eval()
        return super()._from_pretrained(strict=strict, **kwargs).eval()
