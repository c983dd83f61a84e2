"""The default engine: our kernels for what they can do on this machine, OpenVINO (``lean``) for the rest."""
