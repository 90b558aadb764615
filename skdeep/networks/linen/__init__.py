"""The linen modules that networks build. The rules of `skdeep.layers.linen` hold here too."""
