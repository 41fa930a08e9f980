"""A second reading of the language, written from docs/language.md: expressions, definitions, models and training steps in
NumPy's float64, gradients by central differences. It shares no code with the compiler and reads the library's sources."""
from . import along, functions, matrices, shapes

functions.TABLE.update({**along.TABLE, **shapes.TABLE, **matrices.TABLE})
