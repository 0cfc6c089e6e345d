"""Results by what was asked: the same question about the same model is answered without the model."""
