"""Our own kernels in C: products and long convolutions in float32, for CPUs whose runtimes have nothing faster.

``kernels.c`` says how they work; ``build.py`` compiles it when sonant is installed; ``library.py`` opens what fits the
CPU; ``team.py`` shares a call among threads; ``product.py`` and ``convolution.py`` hold weights as the kernels read
them.
"""
