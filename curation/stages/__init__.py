"""DataFrame to DataFrame, one public function a module; no action, cache, path or session inside."""
