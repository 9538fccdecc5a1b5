"""What each model learns from: its forward pass in training, and its loss."""
