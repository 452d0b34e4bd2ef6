"""What a run will take, before it is begun: arithmetic over published and measured figures."""
