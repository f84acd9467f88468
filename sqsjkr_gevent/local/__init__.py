"""A local SQS and DynamoDB on loopback, for a first try and for tests."""
