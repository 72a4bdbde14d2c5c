"""What Lightning's Trainer is told: its arguments, checked, and the callbacks of a run."""
