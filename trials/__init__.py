"""What one evaluation is: data and splits, models, training, scoring. It knows what a policy is, and nothing of searches."""
