"""How kernels are compiled that are handed all their memory.

Numba counts references to every array that is taken out of a tuple or looked at row by row; in deep loops
that takes more time than the work itself. Without its runtime (`_nrt`) nothing is counted, and a kernel that
asks for memory fails to compile.
"""

from scoring.kernels.compiled import compiled

# Division by zero gives infinity, as in NumPy: a check at every one would cost half the speed.
kernel = compiled(error_model="numpy", _nrt=False)
inlined = compiled(error_model="numpy", forceinline=True, _nrt=False)
