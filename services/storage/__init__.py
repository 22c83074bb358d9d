"""The output storage, with an adapter for each place: a folder of this server, and S3 or what is compatible."""
