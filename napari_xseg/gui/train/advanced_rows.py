"""The settings of a recipe that the Advanced fold shows, in their order."""

from __future__ import annotations

from napari_xseg.gui.train.settings_editor import Row

ROWS: tuple[Row | str, ...] = (
    Row("name", "Name", "What the recipe, and a run made with it, is called."),
    "Network",
    Row("model.width", "Width", "Channels of the first level; each further level has twice them."),
    Row("model.depth", "Depth", "Levels: more see farther, and cost speed."),
    Row("model.widths", "Widths", "Channels of each level, instead of the width.", "doubling"),
    Row("model.patch", "Patch", "The network works on blocks of so many pixels: faster, coarser."),
    Row("model.padding", "Padding", "Same: masks as large as crops. Valid: as in the poster."),
    Row("model.upsampling", "Up-sampling", "How the expanding path grows."),
    "Learning",
    Row("loss", "Loss", "Cross-entropy, Dice, two-term Dice (dl2), or a sum of them."),
    Row("crop", "Crop", "Pixels of a crop's edge.", "whole slices"),
    Row("batch", "Batch", "Crops a step."),
    Row("balance", "Balance", "Share of crops that are placed on a class drawn evenly, 0 to 1."),
    Row("optimiser", "Optimiser", "How the weights are changed."),
    Row("learning_rate", "Learning rate", "The highest one, in the one-cycle schedule."),
    Row("weight_decay", "Weight decay", "L2 weight regularisation."),
    Row("momentum", "Momentum", "Of rmsprop, 0 to below 1."),
    Row("clip_norm", "Clip norm", "Gradients are shortened to this norm.", "no clipping"),
    Row("schedule", "Schedule", "How the learning rate goes."),
    Row("warmup_steps", "Warm-up", "Steps in which the learning rate rises."),
    Row("patience", "Patience", "Validations without a gain before a plateau lowers the rate."),
    Row("ema", "Averaging", "Share of the averaged weights that stays at a step.", "none"),
    Row("keep", "Keep", "The model that stands at the end: the best validated, or the last."),
    Row("early_stop", "Early stop", "Validations without a gain that end the training.", "never"),
    "Augmentation",
    Row("augment.turns", "Turns", "Mirror images and quarter turns."),
    Row("augment.reverse_context", "Reverse", "The neighbouring slices in reverse order too."),
    Row("augment.context_drop", "Drop context", "Share of crops without neighbours, 0 to 1."),
    Row("augment.gain", "Gain", "sd of a factor on the grey values, 0 to 1."),
    Row("augment.offset", "Offset", "sd of an addition to the grey values, in their spreads."),
    "Noise",
    Row("noise.low", "Lowest", "A crop's noise is at least so many times the sd."),
    Row("noise.high", "Highest", "A crop's noise is at most so many times the sd."),
    Row("noise.copies", "Fixed copies", "One noisy copy of each slice, as in the poster."),
)
