"""What one evaluation is: data, nets, the training loop, scoring. `run.run_trial` is its door; importing the package alone loads nothing."""
