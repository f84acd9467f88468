"""An SQS and a DynamoDB of our own on loopback, for a first try and for tests."""
