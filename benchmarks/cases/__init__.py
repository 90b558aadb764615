"""The cases, one file each; every file defines CASE, and `child` if the case starts fresh processes."""

from __future__ import annotations

from benchmarks.cases import (
    autoencoder,
    character_generator,
    classic_programs,
    digits_grid,
    fashion_accuracy,
    fashion_convolution,
    fashion_dense,
    fashion_lstm,
    fashion_resnet,
    first_fit,
    import_time,
    memory,
    mlp_first_fit,
    network_first_call,
    plugin_listing,
    predict,
    pretrain,
    scaling,
)

CASES = {
    module.CASE.name: module.CASE
    for module in (
        fashion_dense,
        fashion_convolution,
        fashion_resnet,
        fashion_lstm,
        fashion_accuracy,
        digits_grid,
        import_time,
        plugin_listing,
        first_fit,
        mlp_first_fit,
        network_first_call,
        predict,
        memory,
        scaling,
        autoencoder,
        pretrain,
        classic_programs,
        character_generator,
    )
}
