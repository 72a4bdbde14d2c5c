"""What is fetched from elsewhere: downloaded whole, unpacked safely, by one process at a time."""
