"""ComfyUI: copied into its folder `custom_nodes`, this file makes the node "Load Upscale Model" load our students.

It adds no node of its own.
"""

from pkdn_basicsr.integrations.spandrel_registry import install

install()
NODE_CLASS_MAPPINGS = {}  # ComfyUI reports a file without it as broken
