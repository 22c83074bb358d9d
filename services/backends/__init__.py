"""The adapters of `RenderBackend`, one package each: renderers that make and store videos."""
