"""Packages: writing a student's folder, its card, loading it back, scoring it, ONNX."""
