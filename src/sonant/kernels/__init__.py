"""Our own kernels in C: products, long convolutions and attention, for CPUs whose runtimes have nothing faster.

``products.c``, ``convolutions.c`` and ``attention.c`` say how they work, ``vectors.h`` what they stand on. ``build.py``
compiles them when sonant is installed, ``library.py`` opens what fits the CPU, ``team.py`` shares a call among threads.
Over these stand ``product.py``, ``convolution.py``, ``attention.py`` and ``transformer.py``, which hold weights as the
kernels read them; networks are in ``models/<family>/net_kernels.py``.
"""
