"""What `compare` and `bench` measure and write."""
