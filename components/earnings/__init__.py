"""What the published feeds earned: the way back from what users did to what was served."""
