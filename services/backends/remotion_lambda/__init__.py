"""The Remotion Lambda backend: renders run in an AWS Lambda function, which stores their videos in S3."""
