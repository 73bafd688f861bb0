"""Small networks that are shipped with the package, and reading others of their kind; README.md tells their origin."""

from pkdn_basicsr.weights.face_parser import load_face_parser

__all__ = ['load_face_parser']
