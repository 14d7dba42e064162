"""Running model files: the native engine and TorchScript behind one interface."""
