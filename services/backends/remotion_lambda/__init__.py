"""The Remotion Lambda backend: renders run in a Lambda function and leave their videos in S3."""
