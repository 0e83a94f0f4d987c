"""The streaming simulator: presentations in, three-factor learning, synaptic traces out."""
