#pragma once
#include <stddef.h>

/// The trace the sandbox replays: the bytes of `azure-llm-conv-2023.csv` (credit: README, "The real trace").
extern const unsigned char finops_sandbox_trace[];
extern const size_t finops_sandbox_trace_length;
