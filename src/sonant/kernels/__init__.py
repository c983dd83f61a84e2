"""Our own kernels in C: products, long convolutions, attention and LSTMs, for CPUs whose runtimes have nothing faster.

``products.c``, ``convolutions.c``, ``attention.c`` and ``recurrent.c`` say how they work, ``vectors.h`` what they stand
on. ``build.py`` compiles them when sonant is installed, ``library.py`` opens what fits the CPU, ``team.py`` shares a
call among threads. Over these stand ``product.py``, ``convolution.py``, ``attention.py``, ``recurrent.py`` and
``transformer.py``, which hold weights as the kernels read them; networks are in ``models/<family>/net_kernels.py``, of
Kokoro in ``text_kernels.py`` too.
"""
