"""The search space: what is searched, the fixed first samples, the sampler."""
