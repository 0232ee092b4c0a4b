"""Each promise of docs/guarantees.md broken on purpose, to see that the test which is named for it fails."""
