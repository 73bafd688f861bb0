"""spandrel: after `install()` its `ModelLoader` knows our students, and so does what loads models by it, as ComfyUI."""

import math

from spandrel import (
    MAIN_REGISTRY,
    Architecture,
    ArchRegistry,
    ArchSupport,
    ImageModelDescriptor,
    ModelTiling,
    SizeRequirements,
    StateDict,
)

from pkdn_basicsr.archs import PKDNStudent
from pkdn_basicsr.archs.from_state_dict import is_student, student_arguments


class PKDNArch(Architecture[PKDNStudent]):
    """How spandrel detects a `PKDNStudent` among weights and builds it; every argument is read off the weights."""

    def __init__(self) -> None:
        super().__init__(id='PKDN', detect=is_student)

    def load(self, state_dict: StateDict) -> ImageModelDescriptor[PKDNStudent]:
        """Build the student with these weights."""
        arguments = student_arguments(state_dict)
        scale = arguments['scale']
        multiple = 2**len(arguments['num_enc_blocks'])  # of an enlarged side
        return ImageModelDescriptor(
            PKDNStudent(**arguments),
            state_dict,
            architecture=self,
            purpose='FaceSR',
            tags=[f'{arguments["num_feat"]}nf'],
            supports_half=False,  # torch has no antialiased bicubic in half precision on a CPU
            supports_bfloat16=False,
            scale=scale,
            input_channels=3,
            output_channels=3,
            size_requirements=SizeRequirements(multiple_of=multiple // math.gcd(multiple, scale)),
            tiling=ModelTiling.DISCOURAGED,  # it looks at the whole face
        )


def install(registry: ArchRegistry = MAIN_REGISTRY) -> None:
    """Add our students to those networks that spandrel detects; a second call changes nothing.

    Args:
        registry: Where to; by default the one that every `ModelLoader` without its own uses.
    """
    registry.add(ArchSupport.from_architecture(PKDNArch()), ignore_duplicates=True)
