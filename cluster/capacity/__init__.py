"""How many replicas and nodes a load needs, and what they cost, from measured times.

Times come from a result of ``make bench``: its ``limit``, the engines alone on full batches, and what
the ingress took while the service was saturated. A figure is as good as the machine it was measured
on: for a GPU, measure on that GPU. Nothing here is scaled from one kind of machine to another.
"""
