#include "CSandboxTrace.h"

// Clang has #embed in every language mode and warns in all but the newest.
#pragma clang diagnostic ignored "-Wc23-extensions"
static const unsigned char trace[] = {
#embed "azure-llm-conv-2023.csv"
};

const unsigned char *finops_sandbox_trace(void) { return trace; }
size_t finops_sandbox_trace_length(void) { return sizeof trace; }
