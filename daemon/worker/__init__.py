"""The process beside one device: model pool, scheduler, batcher; hosts the explainers."""
