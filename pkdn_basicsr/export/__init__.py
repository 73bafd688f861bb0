"""Trained networks in files that other programs can run: ONNX, safetensors, `torch.export`."""
