"""All that speaks to AWS but the DynamoDB backend."""
