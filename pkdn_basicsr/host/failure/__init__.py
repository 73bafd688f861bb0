"""What goes wrong in the middle of a run: broken files, full disks, lost processes, losses that are not finite."""
