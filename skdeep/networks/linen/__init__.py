"""The linen modules that networks build, by the rules of `skdeep.layers.linen`."""
