#pragma once
#include <stddef.h>

/// The pipeline that `finops init` writes: the bytes of `Pipelines/default.yaml`, compiled in so that a program needs no
/// file beside it.
extern const unsigned char finops_default_pipeline[];
extern const size_t finops_default_pipeline_length;

/// The same for Swift, which imports no array of unknown length.
static inline const unsigned char *finops_default_pipeline_start(void) { return finops_default_pipeline; }
