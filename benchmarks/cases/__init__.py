"""The cases, one per file. Each file defines `CASE`, and `child` if the case starts fresh processes."""

from __future__ import annotations

from benchmarks.cases import (
    autoencoder,
    character_generator,
    checkpoints,
    classic_programs,
    digits_grid,
    fashion_accuracy,
    fashion_convolution,
    fashion_dense,
    fashion_lstm,
    fashion_resnet,
    first_fit,
    import_time,
    many_small_fits,
    many_structures,
    memory,
    mlp_first_fit,
    network_first_call,
    plugin_listing,
    predict,
    pretrain,
    progress,
    saving,
    scaling,
    small_calls,
    streaming,
    wide_data,
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
        small_calls,
        wide_data,
        memory,
        streaming,
        many_structures,
        many_small_fits,
        scaling,
        autoencoder,
        pretrain,
        classic_programs,
        character_generator,
        saving,
        checkpoints,
        progress,
    )
}
