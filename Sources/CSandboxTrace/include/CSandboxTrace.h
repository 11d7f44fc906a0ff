#pragma once
#include <stddef.h>

/// The trace the sandbox replays: the bytes of `azure-llm-conv-2023.csv` (credit: README, "The real trace").
/// Functions, because Swift does not import an array of unknown length.
const unsigned char *_Nonnull finops_sandbox_trace(void);
size_t finops_sandbox_trace_length(void);
