"""What make runs: the environment, the chapters, the pages, the tests."""
